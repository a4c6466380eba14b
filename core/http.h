#pragma once

#include <functional>
#include <map>
#include <string>

namespace quiver {

/// A whole HTTP request, as the listener hands it on.
struct HttpRequest {
  std::string method;
  /// Path and query, undecoded.
  std::string target;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
};

}  // namespace quiver
