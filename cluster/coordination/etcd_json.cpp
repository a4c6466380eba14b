#include "cluster/coordination/etcd_json.h"

#include <charconv>
#include <utility>

#include "core/base64.h"
#include "core/text.h"

namespace quiver::cluster::etcd {
namespace {

std::string encoded(std::string_view bytes) {
  return base64_encode(bytes, Base64::Standard);
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

Error malformed(std::string_view what) {
  return {ErrorCode::Unavailable, "the reply is not one of etcd's gateway: " + std::string(what)};
}

/// A 64-bit integer: a string, or absent for 0.
Result<std::uint64_t> integer(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::uint64_t{0};
  if (!found->is_string()) return malformed(std::string(name) + " is not a string");
  const auto& text = found->get_ref<const std::string&>();
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) {
    return malformed(std::string(name) + " is not a number");
  }
  return value;
}

Result<bool> flag(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return false;
  if (!found->is_boolean()) return malformed(std::string(name) + " is not a boolean");
  return found->get<bool>();
}

Result<std::string> bytes(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::string{};
  if (!found->is_string()) return malformed(std::string(name) + " is not a string");
  auto decoded = base64_decode(found->get_ref<const std::string&>(), Base64::Standard);
  if (!decoded) return malformed(std::string(name) + " is not base64");
  return std::move(*decoded);
}

Result<Revision> header_revision(const Json& reply) {
  const auto header = reply.find("header");
  if (header == reply.end() || !header->is_object()) return malformed("it has no header");
  QV_TRY(const auto revision, integer(*header, "revision"));
  return Revision{revision};
}

/// The elements of an array that is absent when it is empty.
Result<std::vector<Json>> elements(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::vector<Json>{};
  if (!found->is_array()) return malformed(std::string(name) + " is not an array");
  for (const auto& element : *found) {
    if (!element.is_object()) return malformed(std::string(name) + " holds no objects");
  }
  return found->get<std::vector<Json>>();
}

Result<Entry> parse_entry(const Json& kv, std::size_t root) {
  QV_TRY(auto key, bytes(kv, "key"));
  if (key.size() < root) return malformed("a key is outside of the range");
  QV_TRY(auto value, bytes(kv, "value"));
  QV_TRY(const auto revision, integer(kv, "mod_revision"));
  QV_TRY(const auto lease, integer(kv, "lease"));
  return Entry{key.substr(root), std::move(value), Revision{revision}, LeaseId{lease}};
}

Result<Change> parse_event(const Json& event, std::size_t root) {
  const auto kv = event.find("kv");
  if (kv == event.end() || !kv->is_object()) return malformed("an event has no kv");
  QV_TRY(auto entry, parse_entry(*kv, root));
  Change change{std::move(entry.key), std::move(entry.value), entry.revision};
  // Of the two types, PUT is the zero value.
  if (event.contains("type") && event["type"] == "DELETE") change.value.reset();
  return change;
}

/// A stream wraps its messages.
Result<Json> unwrapped(Json message) {
  if (!message.is_object()) return malformed("it is not an object");
  if (const auto error = message.find("error"); error != message.end()) {
    return Error{ErrorCode::Unavailable, "etcd: " + parse_refusal(message.dump()).message};
  }
  const auto result = message.find("result");
  if (result == message.end() || !result->is_object()) return malformed("it has no result");
  return std::move(*result);
}

Result<Granted> parse_lease(const Json& reply) {
  QV_TRY(const auto id, integer(reply, "ID"));
  QV_TRY(const auto ttl, integer(reply, "TTL"));
  return Granted{LeaseId{id}, std::chrono::seconds(ttl)};
}

}  // namespace

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    const auto last = static_cast<unsigned char>(end.back());
    if (last < 0xFF) {
      end.back() = static_cast<char>(last + 1);
      return end;
    }
    end.pop_back();
  }
  // Nothing is above: etcd's word for "to the end of all keys" is a zero byte.
  return std::string(1, '\0');
}

Json get_request(std::string_view key) {
  return {{"key", encoded(key)}};
}

Json range_request(std::string_view prefix, std::string_view from, std::size_t limit,
                   Revision revision) {
  // An empty key is refused; a zero byte is below all others.
  const std::string first = from.empty() ? std::string(1, '\0') : std::string(from);
  Json request = {{"key", encoded(first)},
                  {"range_end", encoded(prefix_end(prefix))},
                  {"limit", number(limit)}};
  if (revision != Revision{0}) request["revision"] = number(static_cast<std::uint64_t>(revision));
  return request;
}

Json txn_request(std::string_view root, const std::vector<Compare>& compares,
                 const std::vector<Put>& puts) {
  const auto full = [root](const std::string& key) { return encoded(std::string(root) + key); };
  Json request = {{"compare", Json::array()}, {"success", Json::array()}};
  for (const auto& compare : compares) {
    request["compare"].push_back(
        {{"key", full(compare.key)},
         {"target", "MOD"},
         {"result", "EQUAL"},
         {"mod_revision", number(static_cast<std::uint64_t>(compare.revision))}});
  }
  for (const auto& put : puts) {
    if (!put.value) {
      request["success"].push_back({{"request_delete_range", {{"key", full(put.key)}}}});
      continue;
    }
    Json entry = {{"key", full(put.key)}, {"value", encoded(*put.value)}};
    if (put.lease != LeaseId{0}) entry["lease"] = number(static_cast<std::uint64_t>(put.lease));
    request["success"].push_back({{"request_put", std::move(entry)}});
  }
  return request;
}

Json watch_request(std::string_view prefix, Revision after) {
  const std::string first = prefix.empty() ? std::string(1, '\0') : std::string(prefix);
  return {{"create_request",
           {{"key", encoded(first)},
            {"range_end", encoded(prefix_end(prefix))},
            {"start_revision", number(static_cast<std::uint64_t>(after) + 1)}}}};
}

Json lease_request(LeaseId lease) {
  return {{"ID", number(static_cast<std::uint64_t>(lease))}};
}

Json grant_request(std::chrono::seconds ttl) {
  return {{"TTL", number(static_cast<std::uint64_t>(ttl.count()))}};
}

Result<Range> parse_range(const Json& reply, std::size_t root) {
  Range range;
  QV_TRY(range.listing.revision, header_revision(reply));
  QV_TRY(range.more, flag(reply, "more"));
  QV_TRY(const auto kvs, elements(reply, "kvs"));
  range.listing.entries.reserve(kvs.size());
  for (const auto& kv : kvs) {
    QV_TRY(auto entry, parse_entry(kv, root));
    range.listing.entries.push_back(std::move(entry));
  }
  return range;
}

Result<TxnResult> parse_txn(const Json& reply) {
  QV_TRY(const auto revision, header_revision(reply));
  QV_TRY(const bool succeeded, flag(reply, "succeeded"));
  return TxnResult{succeeded ? TxnOutcome::Done : TxnOutcome::Conflict, revision};
}

Result<Granted> parse_granted(const Json& reply) {
  QV_TRY(const auto granted, parse_lease(reply));
  if (granted.id == LeaseId{0} || granted.ttl.count() == 0) return malformed("it grants no lease");
  return granted;
}

Result<Granted> parse_keepalive(const Json& reply) {
  QV_TRY(const auto message, unwrapped(reply));
  return parse_lease(message);
}

Result<WatchLine> parse_watch_line(std::string_view line, std::size_t root) {
  QV_TRY(const auto message, unwrapped(Json::parse(line, nullptr, false)));
  WatchLine out;
  QV_TRY(out.revision, header_revision(message));
  QV_TRY(out.created, flag(message, "created"));
  QV_TRY(out.canceled, flag(message, "canceled"));
  QV_TRY(const auto compacted, integer(message, "compact_revision"));
  out.compacted = Revision{compacted};
  QV_TRY(const auto events, elements(message, "events"));
  for (const auto& event : events) {
    QV_TRY(auto change, parse_event(event, root));
    out.changes.push_back(std::move(change));
  }
  return out;
}

Result<SnapshotLine> parse_snapshot_line(std::string_view line) {
  QV_TRY(const auto message, unwrapped(Json::parse(line, nullptr, false)));
  SnapshotLine out;
  QV_TRY(out.bytes, bytes(message, "blob"));
  QV_TRY(out.remaining, integer(message, "remaining_bytes"));
  return out;
}

Refusal parse_refusal(std::string_view body) {
  constexpr std::size_t kShown = 200;
  const Json json = Json::parse(body, nullptr, false);
  Refusal refusal;
  if (!json.is_object() || !json.contains("error")) {
    refusal.message = std::string(utf8_prefix(body, kShown));
    return refusal;
  }
  // A stream has an object where a call has the message itself.
  const Json& error = json["error"];
  const Json& fields = error.is_object() ? error : json;
  for (const char* name : {"code", "grpc_code"}) {
    if (fields.contains(name) && fields[name].is_number_integer()) {
      refusal.code = fields[name].get<int>();
    }
  }
  if (fields.contains("message") && fields["message"].is_string()) {
    refusal.message = fields["message"].get<std::string>();
  } else if (error.is_string()) {
    refusal.message = error.get<std::string>();
  }
  return refusal;
}

}  // namespace quiver::cluster::etcd
