// Viewer requests of the API: says who sent them, whatever they say themselves.
function handler(event) {
  var request = event.request;
  request.headers['x-lmo-viewer'] = { value: event.viewer.ip };
  return request;
}
