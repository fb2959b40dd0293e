import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.openapitools.client.model.*;

/**
 * Uses a generated client as its users do: java UseClient URL KEY FOLDER. Prints each step that held. The libraries have the
 * same models and methods, so one program is for all of them; what differs is in Connection.
 */
public class UseClient {
  public static void main(String[] args) throws Exception {
    Connection connection = new Connection(args[0], args[1]);
    Object albums = connection.albums(), images = connection.images(), events = connection.events();
    String name = connection.name() + ": söme name";
    File[] files = new File(args[2]).listFiles();
    Arrays.sort(files);
    File first = files[0];
    List<File> others = List.of(files).subList(1, files.length);
    List<String> names = Stream.of(files).map(File::getName).toList();

    Album album = call(albums, "createAlbum", Map.of("albumCreate", new AlbumCreate().name(name).title("By Java")));
    check(album.getImageCount(), 0);
    step("createAlbum");

    Map<String, Object> raw = Map.of("album", name, "name", first.getName(), "body", first, "idempotencyKey", "once");
    Image image = call(images, "createImage", raw);
    check(image.getSize(), (int) first.length());
    check(image.getFocalPoint(), null);
    check(UseClient.<Image>call(images, "createImage", raw).getId(), image.getId());
    step("uploadRaw");

    // Without a record: one of these libraries writes it as no JSON, the other where its hash table happens to put it.
    CreatedImages created = call(images, "createImages", Map.of("album", name, "_file", others));
    check(created.getItems().stream().map(Image::getName).toList(), names.subList(1, names.size()));
    step("uploadForm");

    ImagePage found = call(images, "listImages", Map.of("album", name, "q", first.getName()));
    check(found.getItems().stream().map(Image::getName).toList(), names.subList(0, 1));
    step("list");

    List<String> paged = new ArrayList<>();
    Map<String, Object> query = Map.of("album", name, "pageSize", 1);
    for (ImagePage page = call(images, "listImages", query); ; page = call(images, "listImages", query)) {
      page.getItems().forEach(one -> paged.add(one.getName()));
      if (page.getNextPageToken() == null) break;
      query = Map.of("album", name, "pageSize", 1, "pageToken", page.getNextPageToken());
    }
    check(paged, names);
    step("page");

    Map<String, Object> target = Map.of("album", name, "image", first.getName());
    File content = call(images, "getImageContent", target);
    check(Arrays.equals(Files.readAllBytes(content.toPath()), Files.readAllBytes(first.toPath())), true);
    step("download");

    ImagePatch patch = new ImagePatch().title("Two");
    check(UseClient.<Image>call(images, "updateImage", with(target, "imagePatch", patch)).getTitle(), "Two");
    step("patch");

    List<String> types = List.of("album.created", "image.created");
    EventPage log = call(events, "listEvents", Map.of("albumId", album.getId(), "type", types));
    check(log.getItems().stream().map(event -> nameOf(event.getData())).toList(), with(name, names));
    step("events");

    if (connection.readsText()) checkStream(events, album, log);

    call(images, "deleteImage", target);
    try {
      call(images, "getImage", target);
      throw new AssertionError("the deleted image is there");
    } catch (InvocationTargetException error) {
      check(String.valueOf(error.getCause().getMessage()).contains("image_not_found"), true);
    }
    step("delete");
  }

  static void checkStream(Object events, Album album, EventPage log) throws Exception {
    List<String> types = List.of("album.created");
    Map<String, Object> stream = Map.of("albumId", album.getId(), "type", types, "duration", 1);
    String text = call(events, "streamEvents", stream);
    check(text.contains("\"id\":\"" + log.getItems().get(0).getId() + "\""), true);
    step("stream");
  }

  /** By the names of its parameters: which of them are optional changes, and so does their order. */
  @SuppressWarnings("unchecked")
  static <Result> Result call(Object api, String name, Map<String, Object> arguments) throws Exception {
    for (Method method : api.getClass().getMethods()) {
      List<String> parameters = Stream.of(method.getParameters()).map(Parameter::getName).toList();
      boolean isPlain = !parameters.contains("headers") && parameters.containsAll(arguments.keySet());
      if (!method.getName().equals(name) || !isPlain) continue;
      return (Result) method.invoke(api, parameters.stream().map(arguments::get).toArray());
    }
    throw new AssertionError("there is no " + name + " with " + arguments.keySet());
  }

  static String nameOf(EventData data) {
    Object record = data.getActualInstance();
    return record instanceof AlbumEventData album ? album.getName() : ((ImageEventData) record).getName();
  }

  static Map<String, Object> with(Map<String, Object> map, String key, Object value) {
    Map<String, Object> all = new java.util.HashMap<>(map);
    all.put(key, value);
    return all;
  }

  static List<String> with(String first, List<String> others) {
    return Stream.concat(Stream.of(first), others.stream()).toList();
  }

  static void check(Object found, Object expected) {
    if (!Objects.equals(found, expected)) throw new AssertionError(found + " is not " + expected);
  }

  static void step(String name) {
    System.out.println(name);
  }
}
