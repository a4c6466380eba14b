// Everything that travels is sent through the real protocol into a buffer and back, and must be
// what it was; everything that must not travel is built by hand from the generated structs.

#include "thrift/codec.h"

#include <cmath>
#include <limits>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "tests/thrift/builders.h"
#include "tests/thrift/carried.h"
#include "thrift/codec_calls.h"
#include "thrift/limits.h"

namespace {

using namespace quiver;
using namespace quiver::thrift;
using quiver::testing::Builder;
using quiver::testing::carried;
using quiver::testing::filter_of;
using quiver::testing::refused;
using quiver::testing::same;

TEST_CASE("codec: random points come back as they were", "[thrift]") {
  Builder random(20261123);
  for (int round = 0; round < 300; ++round) {
    const std::size_t dimension = random.below(20);
    const auto points = random.points(random.below(12), dimension);
    const auto batch = encode_points(points, dimension > 0);
    REQUIRE(batch.ok());
    const auto back = decode_points(carried(*batch));
    REQUIRE(back.ok());
    CHECK(same(*back, points));
  }
}

TEST_CASE("codec: vectors stay behind if they are not wanted", "[thrift]") {
  Builder random(1);
  auto points = random.points(3, 4);
  const auto back = decode_points(carried(encode_points(points, false).value()));
  for (auto& point : points) point.vector.clear();
  CHECK(same(back.value(), points));
}

TEST_CASE("codec: a size in advance is never too small", "[thrift]") {
  Builder random(7);
  for (int round = 0; round < 300; ++round) {
    const auto point = random.point(random.below(9) + 1);
    auto buffer = std::make_shared<apache::thrift::transport::TMemoryBuffer>();
    apache::thrift::protocol::TBinaryProtocol protocol(buffer);
    const auto batch = encode_points(std::vector<Point>{point}, true).value();
    const auto record = batch.points.front().write(&protocol);
    CHECK(wire_bytes(point, true) >= record + batch.vectors.size());
    CHECK(wire_bytes(point.payload) >= point.payload.dump().size());
  }
}

TEST_CASE("codec: vectors that are not what they say are refused", "[thrift]") {
  Builder random(2);
  auto batch = encode_points(random.points(3, 4), true).value();
  SECTION("a byte short") {
    batch.vectors.pop_back();
    refused(decode_points(batch), "3 of dimension 4 take 48 bytes, got 47");
  }
  SECTION("another dimension") {
    batch.dimension = 5;
    refused(decode_points(batch), "take 60 bytes, got 48");
  }
  SECTION("a negative dimension") {
    batch.dimension = -1;
    refused(decode_points(batch), "dimension: 0 to 4096");
  }
  SECTION("a dimension beyond the bound") {
    batch.dimension = 4097;
    refused(decode_points(batch), "dimension: 0 to 4096, got 4097");
  }
  SECTION("vectors without points") {
    batch.points.clear();
    refused(decode_points(batch), "0 of dimension 4 take 0 bytes");
  }
  SECTION("bits that are no number") {
    const float odd = GENERATE(
        std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity());
    batch.vectors.replace(20, 4, encode_floats(std::vector<float>{odd}));
    refused(decode_points(batch), "points[1].vector: number 1 is not a finite number");
  }
}

TEST_CASE("codec: points that cannot be are refused", "[thrift]") {
  Builder random(3);
  auto batch = encode_points(random.points(2, 2), true).value();
  auto& record = batch.points[1];
  SECTION("no id") {
    record.id = "";
    refused(decode_points(batch), "points[1].id");
  }
  SECTION("an id of another kind") {
    record.id = std::string("\x03") + "abc";
    refused(decode_points(batch), "points[1].id");
  }
  SECTION("a payload that is no object") {
    record.__set_payload("[1]");
    refused(decode_points(batch), "points[1].payload: must be an object");
  }
  SECTION("a payload that is not JSON") {
    record.__set_payload("{\"a\":");
    refused(decode_points(batch), "points[1].payload: not JSON");
  }
  SECTION("a payload that nests too deep") {
    record.__set_payload("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + '}');
    refused(decode_points(batch), "deeper than 64 levels");
  }
  SECTION("brackets in strings are no levels") {
    record.__set_payload("{\"a\":\"" + std::string(100, '[') + "\\\"" + std::string(100, '{') +
                         "\"}");
    CHECK(decode_points(batch).ok());
  }
  SECTION("a payload that is too large") {
    record.__set_payload("{\"a\":\"" + std::string(limits::kPayloadBytesMax, 'x') + "\"}");
    refused(decode_points(batch), "at most 1048576 bytes");
  }
  SECTION("text and payload that are too large together") {
    record.__set_payload("{\"a\":\"" + std::string(limits::kPayloadBytesMax - 20, 'x') + "\"}");
    record.__set_text(std::string(40, 'y'));
    refused(decode_points(batch), "bytes together");
  }
  SECTION("text that is not UTF-8") {
    record.__set_text("\xff");
    refused(decode_points(batch), "points[1].text: not valid UTF-8");
  }
  SECTION("too many") {
    batch.dimension = 0;
    batch.vectors.clear();
    batch.points.resize(kListMax + 1);
    refused(decode_points(batch), "points: at most 20000");
  }
}

TEST_CASE("codec: what the wire cannot carry is not sent", "[thrift]") {
  Builder random(4);
  auto points = random.points(2, 3);
  SECTION("vectors of several dimensions") {
    points[1].vector.pop_back();
    refused(encode_points(points, true), "points[1].vector: has 2 components, others have 3");
  }
  SECTION("no vector") {
    points[0].vector.clear();
    refused(encode_points(points, true), "points[0].vector");
  }
  SECTION("text that is not UTF-8") {
    points[1].payload = {{"a", "\xff"}};
    refused(encode_points(points, true), "points[1].payload: holds text that is not UTF-8");
  }
}

TEST_CASE("codec: a search comes back as it was", "[thrift]") {
  Builder random(5);
  SearchCall query;
  query.vector = random.vector(768);
  query.k = 10'000;
  query.ef = 300;
  query.exact = true;
  query.filter = filter_of(R"({"lang": "en", "year": {"$gte": 2020}})");
  query.projection = {false, true, true};
  const auto back = decode_search(carried(encode_search(query).value())).value();
  CHECK(back.vector == query.vector);
  CHECK(back.k == query.k);
  CHECK(back.ef == query.ef);
  CHECK(back.exact);
  CHECK(back.filter->source() == query.filter->source());
  CHECK_FALSE(back.projection.payload);
  CHECK(back.projection.text);
  CHECK(back.projection.vector);
  query.filter.reset();
  CHECK_FALSE(decode_search(carried(encode_search(query).value()))->filter);
}

TEST_CASE("codec: filters may be larger than payloads, up to a bound", "[thrift]") {
  const auto filter = [](std::size_t bytes) {
    auto operands = Json::array();
    for (int i = 0; i < 10; ++i) operands.push_back(std::string(bytes / 10, 'x'));
    return Filter::parse({{"a", {{"$in", operands}}}}).value();
  };
  const auto large = filter(4'000'000);
  CHECK(decode_filter(encode_filter(large).value())->source() == large.source());
  refused(encode_filter(filter(9'000'000)), "filter: at most 8388608");
  refused(decode_filter(std::string(kFilterBytesMax + 1, ' ')), "filter: at most");
}

TEST_CASE("codec: searches out of bounds are refused", "[thrift]") {
  SearchCall query;
  query.vector = {1, 2};
  auto request = encode_search(query).value();
  SECTION("no vector") {
    request.vector.clear();
    refused(decode_search(request), "vector: 1 to");
  }
  SECTION("half a float") {
    request.vector += "ab";
    refused(decode_search(request), "2 floats take 8 bytes, got 10");
  }
  SECTION("too long") {
    request.vector.assign(4097 * sizeof(float), '\0');
    refused(decode_search(request), "vector: 1 to 4096, got 4097");
  }
  SECTION("k") {
    request.k = GENERATE(0, -1, 10'001);
    refused(decode_search(request), "k: 1 to 10000");
  }
  SECTION("ef") {
    request.ef = -1;
    refused(decode_search(request), "ef: 0 to 10000");
  }
  SECTION("filter") {
    request.__set_filter(R"({"a": {"$nope": 1}})");
    refused(decode_search(request), "$nope");
  }
  SECTION("before it is sent") {
    query.k = 10'001;
    refused(encode_search(query), "k: at most 10000");
  }
}

TEST_CASE("codec: hits that fill a reply come as ids", "[thrift]") {
  Builder random(6);
  std::vector<ScoredPoint> hits;
  for (int i = 0; i < 9; ++i) {
    auto point = random.point(4);
    point.payload = {{"text", std::string(1'000'000, 'x')}};
    hits.push_back({point, 1.0F / static_cast<float>(i + 1)});
  }
  const auto back = decode_hits(carried(encode_hits(hits, true).value())).value();
  CHECK(back.hits.size() == 4);
  REQUIRE(back.hits.size() + back.further.size() == hits.size());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const bool whole = i < back.hits.size();
    const auto& hit = whole ? back.hits[i] : back.further[i - back.hits.size()];
    CHECK(hit.score == hits[i].score);
    CHECK(hit.point.id == hits[i].point.id);
    if (whole) CHECK(same(hit.point, hits[i].point));
  }
}

TEST_CASE("codec: a reply of a search must have as many scores as hits", "[thrift]") {
  Builder random(8);
  auto reply = encode_hits({{random.point(0), 0.5F}, {random.point(0), 0.25F}}, false).value();
  reply.scores.resize(4);
  refused(decode_hits(reply), "scores: 2 floats take 8 bytes");
}

TEST_CASE("codec: a reply of a get says how many ids it speaks of", "[thrift]") {
  Builder random(9);
  auto points = random.points(6, 0);
  for (auto& point : points) point.payload = {{"text", std::string(1'000'000, 'x')}};
  std::vector<PointId> ids;
  for (std::size_t i = 0; i < points.size(); ++i) {
    ids.push_back(PointId::from_text("absent " + std::to_string(i)).value());
    ids.push_back(points[i].id);
  }
  const auto reply = encode_found(ids, points, false).value();
  CHECK(reply.points.points.size() == 4);
  // Four pairs, and the absent one in front of the fifth point.
  CHECK(reply.answered == 9);
  const auto all = encode_found(ids, std::span(points).first(2), false).value();
  CHECK(all.answered == 12);

  const auto request = carried(encode_get(ids, {true, false, true}).value());
  const auto back = decode_get(request).value();
  CHECK(back.ids == ids);
  CHECK(back.projection.vector);
  ids.resize(kIdsMax + 1);
  refused(encode_get(ids, {}), "ids: at most 10000, got 10001");
}

TEST_CASE("codec: a scroll comes back as it was", "[thrift]") {
  Builder random(10);
  ScrollCall query{filter_of(R"({"a": 1})"), random.id(), 500, {}};
  const auto back = decode_scroll(carried(encode_scroll(query).value())).value();
  CHECK(back.filter->source() == query.filter->source());
  CHECK(back.after == query.after);
  CHECK(back.limit == 500);
  const ScrollCall plain{};
  CHECK_FALSE(decode_scroll(carried(encode_scroll(plain).value()))->after);

  auto request = encode_scroll(query).value();
  request.limit = -1;
  refused(decode_scroll(request), "limit: 0 to 20000");
  request.limit = 1;
  request.after = "";
  refused(decode_scroll(request), "id:");
  query.limit = kListMax + 1;
  refused(encode_scroll(query), "limit: at most 20000");

  auto points = random.points(6, 0);
  CHECK_FALSE(encode_page(points, false)->cut);
  for (auto& point : points) point.payload = {{"text", std::string(1'000'000, 'x')}};
  const auto page = encode_page(points, false).value();
  CHECK(page.cut);
  CHECK(page.points.points.size() == 4);
}

TEST_CASE("codec: fields come back as they were", "[thrift]") {
  const std::vector<FieldCount> fields{{"a.b", {"string", "number"}, 7, {"x", 1.5, nullptr}},
                                       {"c", {}, 0, {}}};
  const auto back = decode_fields(carried(encode_fields(fields).value())).value();
  REQUIRE(back.size() == 2);
  CHECK(back[0].name == "a.b");
  CHECK(back[0].types == fields[0].types);
  CHECK(back[0].points == 7);
  CHECK(back[0].examples == fields[0].examples);
  wire::FieldsReply reply;
  reply.fields.resize(1);
  reply.fields[0].examples = {"{"};
  refused(decode_fields(reply), "examples: not JSON");
  const std::vector<FieldCount> large(20, {"a", {}, 1, {std::string(500'000, 'x')}});
  CHECK(encode_fields(large).error().code == ErrorCode::ResourceExhausted);
}

WriteRequest carried_write(const WriteRequest& write) {
  return decode_write(carried(encode_write(write).value())).value();
}

TEST_CASE("codec: every kind of write comes back as it was", "[thrift]") {
  Builder random(11);
  const std::vector<PointId> ids{random.id(), random.id(), random.id()};
  const UpsertPoints upsert{random.points(20, 5)};
  const auto back = carried_write(Mutation(upsert));
  CHECK(same(std::get<UpsertPoints>(std::get<Mutation>(back)).points, upsert.points));

  const auto erase = carried_write(Mutation(ErasePoints{ids}));
  CHECK(std::get<ErasePoints>(std::get<Mutation>(erase)).ids == ids);

  const auto expired = carried_write(Mutation(EraseExpired{ids, -5}));
  CHECK(std::get<EraseExpired>(std::get<Mutation>(expired)).ids == ids);
  CHECK(std::get<EraseExpired>(std::get<Mutation>(expired)).before_ms == -5);

  const UpdatePayload update{ids, UpdatePayload::Mode::Replace, random.object(3)};
  const auto changed = std::get<UpdatePayload>(std::get<Mutation>(carried_write(Mutation(update))));
  CHECK(changed.ids == ids);
  CHECK(changed.mode == UpdatePayload::Mode::Replace);
  CHECK(changed.payload == update.payload);

  const auto matching = carried_write(EraseMatching{filter_of(R"({"a": {"$in": [1, "x"]}})")});
  CHECK(std::get<EraseMatching>(matching).filter.source() ==
        Json::parse(R"({"a":{"$in":[1,"x"]}})"));

  const UpsertIf conditional{upsert.points,
                             {{PointId(1), std::nullopt},
                              {PointId(2), PointDigest{0}},
                              {upsert.points[0].id, PointDigest{0xfedcba9876543210U}}}};
  const auto on_condition = std::get<UpsertIf>(carried_write(conditional));
  CHECK(on_condition.points.size() == conditional.points.size());
  CHECK(on_condition.expected == conditional.expected);
  CHECK(std::get<UpsertIf>(carried_write(UpsertIf{upsert.points, {}})).expected.empty());
}

TEST_CASE("codec: writes that cannot be are refused", "[thrift]") {
  Builder random(12);
  wire::WriteRequest request;
  SECTION("none") {
    refused(decode_write(request), "exactly one kind of write");
  }
  SECTION("two") {
    request.__isset.erase = true;
    request.__isset.erase_matching = true;
    refused(decode_write(request), "got 2");
  }
  SECTION("a condition of what is no upsert") {
    request.__isset.erase = true;
    request.__isset.expected = true;
    refused(decode_write(request), "expected: goes with an upsert alone");
  }
  SECTION("no points") {
    request.__isset.upsert = true;
    refused(decode_write(request), "points: 1 to 1000, got 0");
  }
  SECTION("too many points") {
    request.__isset.upsert = true;
    request.upsert.points.resize(1001);
    refused(decode_write(request), "points: 1 to 1000, got 1001");
    const std::vector<Point> points(1001);
    refused(encode_write(Mutation(UpsertPoints{points})), "got 1001: split it");
  }
  SECTION("no vectors") {
    request.upsert = encode_points(random.points(1, 0), false).value();
    request.__isset.upsert = true;
    refused(decode_write(request), "dimension: 1 to 4096, got 0");
  }
  SECTION("an unknown mode") {
    request.__isset.update_payload = true;
    request.update_payload.mode = 3;
    request.update_payload.payload = "{}";
    refused(decode_write(request), "mode: 1 (merge) or 2 (replace), got 3");
  }
  SECTION("a change that is no object") {
    request.__isset.update_payload = true;
    request.update_payload.mode = 1;
    request.update_payload.payload = "[]";
    refused(decode_write(request), "payload: must be an object");
  }
  SECTION("too many ids") {
    const std::vector<PointId> ids(kIdsMax + 1);
    refused(encode_write(Mutation(ErasePoints{ids})), "split it");
    refused(encode_write(Mutation(EraseExpired{ids, 1})), "split it");
    request.__isset.erase = true;
    request.erase.ids.resize(kIdsMax + 1);
    refused(decode_write(request), "ids: at most 10000");
  }
  SECTION("larger than a frame") {
    auto points = random.points(17, 4);
    for (auto& point : points) point.payload = {{"text", std::string(1'000'000, 'x')}};
    refused(encode_write(Mutation(UpsertPoints{points})), "split it");
  }
  SECTION("a payload beyond the bound") {
    const UpdatePayload update{
        {}, UpdatePayload::Mode::Merge, {{"a", std::string(limits::kPayloadBytesMax, 'x')}}};
    refused(encode_write(Mutation(update)), "payload: at most");
  }
}

TEST_CASE("codec: a header comes back as it was", "[thrift]") {
  const auto now = std::chrono::steady_clock::now();
  auto call = quiver::testing::shard_call(7);
  call.epoch = 0xffff'ffff'ffff'fff0;
  call.term = Term{9};
  call.trace = "trace-1";
  call.context.request_id = RequestId::random();
  const auto header =
      carried(encode_header("blue", "node-1", call, &call, std::chrono::milliseconds(250)));
  CHECK(header.cluster == "blue");
  const auto back = decode_shard_header(header, now).value();
  CHECK(back.caller == "node-1");
  CHECK(back.epoch == call.epoch);
  CHECK(back.term == call.term);
  CHECK(back.trace == call.trace);
  CHECK(back.collection == call.collection);
  CHECK(back.shard == call.shard);
  CHECK(back.context.request_id == call.context.request_id);
  CHECK(back.context.deadline == now + std::chrono::milliseconds(250));

  const NodeCall plain;
  const auto node = carried(encode_header("blue", "node-1", plain, nullptr, std::chrono::hours(9)));
  CHECK(node.deadline_ms == kCallTimeMax.count());
  CHECK(decode_header(node, now)->context.request_id.empty());
  refused(decode_shard_header(node, now), "collection");
}

TEST_CASE("codec: how a read is meant travels, and means the newest if nothing does", "[thrift]") {
  const auto now = std::chrono::steady_clock::now();
  const auto carried_terms = [&](const ReadTerms& terms) {
    auto call = quiver::testing::shard_call();
    call.read = terms;
    const auto header =
        carried(encode_header("blue", "node-1", call, &call, std::chrono::milliseconds(250)));
    CHECK(header.__isset.read_level == (terms.level != ReadLevel::Linearizable));
    return decode_shard_header(header, now).value().read;
  };
  for (const ReadTerms terms :
       {ReadTerms{ReadLevel::Linearizable, Seq{0}}, ReadTerms{ReadLevel::Session, Seq{0}},
        ReadTerms{ReadLevel::Session, Seq{7}},
        ReadTerms{ReadLevel::Session, Seq{0xffff'ffff'ffff'fff0}},
        ReadTerms{ReadLevel::Eventual, Seq{0}}}) {
    CHECK(carried_terms(terms) == terms);
  }
  // A token says nothing at other levels.
  CHECK(carried_terms({ReadLevel::Eventual, Seq{7}}) == ReadTerms{ReadLevel::Eventual, Seq{0}});
}

TEST_CASE("codec: where a write stands travels in the reply", "[thrift]") {
  ReplyInfo info;
  info.epoch = 12;
  CHECK_FALSE(encode_info(info).__isset.at);
  CHECK(decode_info(carried(encode_info(info))).at == Seq{0});
  info.at = Seq{0xffff'ffff'ffff'fff0};
  CHECK(decode_info(carried(encode_info(info))).at == info.at);
}

TEST_CASE("codec: headers that cannot be are refused", "[thrift]") {
  const auto now = std::chrono::steady_clock::now();
  const auto call = quiver::testing::shard_call();
  auto header = encode_header("blue", "node-1", call, &call, std::chrono::milliseconds(250));
  SECTION("caller") {
    header.caller = GENERATE("", "a b", "ä", "x/y");
    refused(decode_shard_header(header, now), "node id: 1 to 64");
  }
  SECTION("deadline") {
    header.deadline_ms = GENERATE(0LL, -1LL, 3'600'001LL);
    refused(decode_shard_header(header, now), "deadline_ms: 1 to 3600000");
  }
  SECTION("request id") {
    header.__set_request_id("short");
    refused(decode_shard_header(header, now), "request_id: 16 bytes, got 5");
  }
  SECTION("trace") {
    header.trace_id = std::string(65, 'x');
    refused(decode_shard_header(header, now), "trace_id");
  }
  SECTION("collection") {
    header.collection = GENERATE("", "../../etc", "0123456789ABCDEF0123456789abcdef");
    refused(decode_shard_header(header, now), "collection");
  }
  SECTION("shard") {
    header.shard = GENERATE(-1, 1024);
    refused(decode_shard_header(header, now), "shard: 0 to 1023");
  }
  SECTION("level of a read") {
    header.__set_read_level(GENERATE(-1, 0, 4, 257));
    refused(decode_shard_header(header, now),
            "read_level: 1 linearizable, 2 session or 3 eventual, got " +
                std::to_string(header.read_level));
  }
  SECTION("token without a session") {
    header.__set_read_token(1);
    refused(decode_shard_header(header, now), "read_token: only with read_level 2, session");
  }
}

TEST_CASE("codec: errors come back as they were, unknown ones as internal", "[thrift]") {
  ReplyInfo info;
  info.epoch = 12;
  info.term = Term{3};
  info.primary = "node-2";
  info.retry_after = std::chrono::milliseconds(40);
  for (int code = 1; code <= 11; ++code) {
    const Error error{static_cast<ErrorCode>(code), "what was wrong"};
    const auto sent = carried(encode_error(error, info));
    CHECK(sent.retryable == traits(error.code).retryable);
    const auto back = decode_error(sent);
    CHECK(back.error.code == error.code);
    CHECK(back.error.message == error.message);
    CHECK(back.info.epoch == 12);
    CHECK(back.info.term == Term{3});
    CHECK(back.info.primary == "node-2");
    CHECK(back.info.retry_after == info.retry_after);
  }
  wire::QuiverError odd;
  odd.code = GENERATE(0, -1, 12, 1 << 30);
  odd.primary = "../x";
  odd.retry_after_ms = -7;
  odd.message = std::string(100'000, 'x');
  const auto back = decode_error(odd);
  CHECK(back.error.code == ErrorCode::Internal);
  CHECK(back.error.message.size() == kErrorBytesMax);
  CHECK(back.info.primary.empty());
  CHECK(back.info.retry_after.count() == 0);
}

}  // namespace
