import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.*;

record Connection(String url, String key) {
  String name() {
    return "native";
  }

  /** It reads every answer as JSON. */
  boolean readsText() {
    return false;
  }

  AlbumsApi albums() {
    return new AlbumsApi(client());
  }

  ImagesApi images() {
    return new ImagesApi(client());
  }

  EventsApi events() {
    return new EventsApi(client());
  }

  /** This library has no security schemes: its users set the header. */
  private ApiClient client() {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    client.setObjectMapper(new BodyMapper(client.getObjectMapper()));
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + key));
    return client;
  }

  /** This library writes every body as JSON, a file as its path. */
  private static class BodyMapper extends ObjectMapper {
    BodyMapper(ObjectMapper base) {
      super(base);
    }

    @Override
    public ObjectMapper copy() {
      return new BodyMapper(this);
    }

    @Override
    public byte[] writeValueAsBytes(Object body) throws JsonProcessingException {
      try {
        return body instanceof File file ? Files.readAllBytes(file.toPath()) : super.writeValueAsBytes(body);
      } catch (JsonProcessingException error) {
        throw error;
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }
}
