#include "core/http_access.h"

#include <algorithm>

#include "core/text.h"

namespace quiver {
namespace {

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// "[::1]:7600" without its port; empty if it is not a host with or without a port.
std::string_view host_name(std::string_view host) {
  const bool literal = host.starts_with('[');
  const auto end = literal ? host.find(']') : host.find(':');
  if (literal && end == std::string_view::npos) return {};
  const std::string_view name = host.substr(0, literal ? end + 1 : end);
  const std::string_view rest = host.substr(name.size());
  if (rest.empty()) return name;
  const bool is_port = rest.front() == ':' && rest.size() > 1 && rest.size() <= 6 &&
                       rest.find_first_not_of("0123456789", 1) == std::string_view::npos &&
                       std::stoul(std::string(rest.substr(1))) <= 65'535;
  return is_port ? name : std::string_view{};
}

bool is_loopback(std::string_view name) {
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::vector<std::string> media_types(std::string_view list) {
  std::vector<std::string> types;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    types.push_back(lower(trimmed(item.substr(0, item.find(';')))));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return types;
}

std::optional<std::string> header(const HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  if (found == request.headers.end()) return std::nullopt;
  return std::string(trimmed(found->second));
}

bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed) {
  const std::string given = lower(host);
  const std::string_view name = host_name(given);
  if (name.empty()) return false;
  if (is_loopback(name)) return true;
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& entry) {
    const std::string known = lower(entry);
    return known == given || known == name;
  });
}

bool is_allowed_origin(std::string_view origin, const std::vector<std::string>& allowed) {
  const std::string given = lower(origin);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (given.starts_with(scheme) &&
        is_loopback(host_name(std::string_view(given).substr(scheme.size())))) {
      return true;
    }
  }
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& entry) { return lower(entry) == given; });
}

bool is_host_entry(std::string_view entry) {
  const std::string known = lower(entry);
  const std::string_view name = host_name(known);
  if (name.starts_with('[')) {
    // Two colons: "[10.0.0.1:80]" is a list of one, not an address.
    const std::string_view address = name.substr(1, name.size() - 2);
    return std::count(address.begin(), address.end(), ':') >= 2 &&
           address.find_first_not_of("0123456789abcdef:.") == std::string_view::npos;
  }
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") ==
                              std::string_view::npos;
}

bool is_origin_entry(std::string_view entry) {
  const std::string known = lower(entry);
  const auto mark = known.find("://");
  if (mark == std::string::npos || mark == 0) return false;
  const std::string_view scheme = std::string_view(known).substr(0, mark);
  const std::string_view host = std::string_view(known).substr(mark + 3);
  const bool is_named =
      scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") == std::string_view::npos;
  const bool has_usual_port =
      (scheme == "http" && host.ends_with(":80")) || (scheme == "https" && host.ends_with(":443"));
  return is_named && !has_usual_port && is_host_entry(host);
}

bool is_json_type(std::string_view content_type) {
  const auto types = media_types(content_type);
  return types.size() == 1 && types.front() == "application/json";
}

std::optional<HttpRefusal> refused_access(const HttpRequest& request, const HttpAccess& access) {
  const auto host = header(request, "host");
  if (!host) return HttpRefusal{kBadRequest, "header Host: required"};
  if (!is_allowed_host(*host, access.allowed_hosts)) {
    return HttpRefusal{kForbidden, "host " + shown_text(*host) +
                                       " is not allowed; server.allowed_hosts names others"};
  }
  const auto origin = header(request, "origin");
  if (origin && !is_allowed_origin(*origin, access.allowed_origins)) {
    return HttpRefusal{kForbidden, "origin " + shown_text(*origin) +
                                       " is not allowed; server.allowed_origins names others"};
  }
  return std::nullopt;
}

}  // namespace quiver
