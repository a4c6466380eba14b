#include "api/rest/routes.h"

#include <algorithm>

namespace quiver::api {
namespace {

bool is_field(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::string field_name(std::string_view segment) {
  return std::string(segment.substr(1, segment.size() - 2));
}

std::vector<std::string> cut(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = path.find('/');
    segments.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end, path.size()));
  }
  return segments;
}

bool comes_before(const RestRoute& a, const RestRoute& b) {
  const auto rank = [](const std::string& segment) {
    return std::pair<bool, std::string_view>(is_field(segment), segment);
  };
  const bool less = std::lexicographical_compare(
      a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
      [&](const auto& x, const auto& y) { return rank(x) < rank(y); });
  if (a.segments == b.segments) return a.method < b.method;
  return less;
}

bool matches(const RestRoute& route, const std::vector<std::string>& segments) {
  return std::equal(route.segments.begin(), route.segments.end(), segments.begin(), segments.end(),
                    [](const auto& pattern, const auto& segment) {
                      return is_field(pattern) ? !segment.empty() : pattern == segment;
                    });
}

}  // namespace

std::vector<std::string> RestRoute::path_fields() const {
  std::vector<std::string> names;
  for (const auto& segment : segments) {
    if (is_field(segment)) names.push_back(field_name(segment));
  }
  return names;
}

bool takes_body(std::string_view method) noexcept {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

Routes::Routes(const service::Registry& registry) {
  for (const auto& operation : registry.operations()) {
    for (const auto& place : {operation.route, operation.one_route}) {
      if (place.path.empty()) continue;
      RestRoute route;
      route.operation = &operation;
      route.method = place.method;
      route.path = std::string(kApiPrefix).append(place.path);
      route.segments = cut(route.path);
      routes_.push_back(std::move(route));
    }
  }
  std::sort(routes_.begin(), routes_.end(), comes_before);
}

Routes::Match Routes::find(std::string_view method,
                           const std::vector<std::string>& segments) const {
  Match match;
  for (const auto& route : routes_) {
    if (!matches(route, segments)) continue;
    match.methods.push_back(route.method);
    if (match.route != nullptr || route.method != method) continue;
    match.route = &route;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (!is_field(route.segments[i])) continue;
      match.fields.emplace_back(field_name(route.segments[i]), segments[i]);
    }
  }
  std::sort(match.methods.begin(), match.methods.end());
  match.methods.erase(std::unique(match.methods.begin(), match.methods.end()), match.methods.end());
  return match;
}

}  // namespace quiver::api
