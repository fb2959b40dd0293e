import org.openapitools.client.ApiClient;
import org.openapitools.client.api.*;

record Connection(String url, String key) {
  String name() {
    return "okhttp-gson";
  }

  boolean readsText() {
    return true;
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

  private ApiClient client() {
    ApiClient client = new ApiClient();
    client.setBasePath(url);
    client.setBearerToken(key);
    return client;
  }
}
