#include "mcp/request_meta.h"

#include <string>
#include <utility>

#include "core/text.h"
#include "mcp/params.h"
#include "mcp/revision.h"

namespace quiver::mcp {
namespace {

constexpr const char* kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr const char* kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
constexpr const char* kClientKey = "io.modelcontextprotocol/clientInfo";
constexpr const char* kLogLevelKey = "io.modelcontextprotocol/logLevel";

const Json* meta_of(const Json& params) {
  const auto meta = params.find("_meta");
  return meta == params.end() || !meta->is_object() ? nullptr : &*meta;
}

}  // namespace

const Json* claimed_version(const Json& params) {
  const Json* meta = meta_of(params);
  if (meta == nullptr) return nullptr;
  const auto version = meta->find(kVersionKey);
  return version == meta->end() ? nullptr : &*version;
}

std::optional<RpcError> version_fault(const Json& claimed) {
  if (!claimed.is_string()) {
    return invalid_params(std::string("params._meta[\"") + kVersionKey + "\"]: must be a string");
  }
  const auto& version = claimed.get_ref<const std::string&>();
  const Revision* revision = find_revision(version);
  if (revision != nullptr && revision->era == Era::Modern) return std::nullopt;
  Json supported = Json::array();
  for (const Revision& known : kRevisions) {
    if (known.era == Era::Modern) supported.insert(supported.begin(), known.version);
  }
  constexpr std::size_t kEchoed = 64;
  return RpcError{
      rpc::kUnsupportedVersion,
      "unsupported protocol version " + display(version) + ": in each request " +
          version_list(Era::Modern) + ", or by initialize " + version_list(Era::Legacy),
      {{"supported", supported}, {"requested", std::string(utf8_prefix(version, kEchoed))}}};
}

RpcError missing_meta(const Json& params) {
  const Json* meta = meta_of(params);
  std::string keys;
  for (const char* key : {kVersionKey, kCapabilitiesKey}) {
    if (meta != nullptr && meta->contains(key)) continue;
    keys += (keys.empty() ? "" : ", ") + std::string(key);
  }
  return invalid_params("params._meta lacks " + keys);
}

std::optional<RpcError> meta_fault(const Json& params) {
  const Json* meta = meta_of(params);
  if (meta == nullptr || !meta->contains(kCapabilitiesKey)) return missing_meta(params);
  for (const char* key : {kCapabilitiesKey, kClientKey}) {
    if (const auto found = meta->find(key); found != meta->end() && !found->is_object()) {
      return invalid_params(std::string("params._meta[\"") + key + "\"]: must be an object");
    }
  }
  const auto level = meta->find(kLogLevelKey);
  if (level != meta->end() &&
      (!level->is_string() || !find_log_level(level->get_ref<const std::string&>()))) {
    return invalid_params(std::string("params._meta[\"") + kLogLevelKey +
                          "\"]: must be a log level, debug to emergency");
  }
  return std::nullopt;
}

Json claimed_capabilities(const Json& params) {
  return (*meta_of(params))[kCapabilitiesKey];
}

std::optional<LogLevel> claimed_log_level(const Json& params) {
  const Json& meta = *meta_of(params);
  const auto level = meta.find(kLogLevelKey);
  if (level == meta.end()) return std::nullopt;
  return find_log_level(level->get_ref<const std::string&>());
}

Result<Json> progress_token(const Json& params) {
  const Json* meta = meta_of(params);
  if (meta == nullptr) return Json(nullptr);
  const auto token = meta->find("progressToken");
  if (token == meta->end()) return Json(nullptr);
  const bool usable =
      token->is_number_integer() ||
      (token->is_string() && token->get_ref<const std::string&>().size() <= kIdBytesMax);
  if (!usable) {
    return Error{ErrorCode::InvalidArgument,
                 "params._meta.progressToken: must be an integer or a string of at most " +
                     std::to_string(kIdBytesMax) + " bytes"};
  }
  return *token;
}

}  // namespace quiver::mcp
