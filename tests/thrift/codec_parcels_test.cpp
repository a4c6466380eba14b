// What copies of a shard tell each other: sent through the real protocol and back.

#include "thrift/codec_parcels.h"

#include <catch2/catch.hpp>

#include "tests/thrift/carried.h"
#include "thrift/limits.h"
#include "thrift/node_handler.h"

namespace {

using namespace quiver;
using namespace quiver::thrift;
using quiver::testing::carried;
using quiver::testing::refused;

CopyParcel sample(std::size_t entries = 2) {
  CopyParcel parcel{std::string(32, 'a'),         ShardId{3}, CopyId{std::string(32, 'b')},
                    CopyId{std::string(32, 'c')}, "says so",  {}};
  for (std::size_t i = 0; i < entries; ++i) parcel.entries.push_back(std::string(i, '\0') + "e");
  return parcel;
}

wire::DeliverReply reply_of(std::int32_t index, std::int32_t code) {
  wire::DeliverReply reply;
  reply.refused.emplace_back();
  reply.refused.back().index = index;
  reply.refused.back().code = code;
  return reply;
}

TEST_CASE("codec: parcels come back as they were", "[thrift]") {
  const std::vector<CopyParcel> parcels{sample(), sample(0), sample(100)};
  auto records = encode_parcels(parcels).value();
  for (auto& record : records) record = carried(record);
  CHECK(decode_parcels(records).value() == parcels);
}

TEST_CASE("codec: parcels that name nothing, or are too many or too large, are refused",
          "[thrift]") {
  const auto wrong = [](auto change, const std::string& what) {
    auto parcel = sample();
    change(parcel);
    refused(encode_parcels({parcel}), what);
  };
  wrong([](auto& parcel) { parcel.collection = "x"; }, "collection");
  wrong([](auto& parcel) { parcel.from.text[0] = 'X'; }, "from_copy");
  wrong([](auto& parcel) { parcel.to.text.clear(); }, "to_copy");
  wrong([](auto& parcel) { parcel.shard = ShardId{1U << 30U}; }, "shard");
  wrong([](auto& parcel) { parcel.message.clear(); }, "message");
  wrong([](auto& parcel) { parcel.message.assign(kParcelMessageBytesMax + 1, 'x'); }, "message");
  wrong([](auto& parcel) { parcel.entries = {std::string(kFrameBytesMax, 'x')}; }, "bytes");
  wrong([](auto& parcel) { parcel.entries.resize(kParcelEntriesMax + 1); }, "entries");
  refused(encode_parcels({}), "parcels");
  refused(encode_parcels(std::vector<CopyParcel>(kParcelsMax + 1, sample(0))), "parcels");
  auto records = encode_parcels({sample()}).value();
  records[0].shard = -1;
  refused(decode_parcels(records), "shard");
  records[0].shard = 0;
  records[0].from_copy = "../";
  refused(decode_parcels(records), "from_copy");
}

TEST_CASE("codec: refusals of parcels name ones that were sent", "[thrift]") {
  const std::vector<RefusedParcel> none;
  CHECK(decode_refused(carried(encode_refused(none)), 5).value().empty());
  const std::vector<RefusedParcel> some{{4, {ErrorCode::NotFound, "no such copy"}}};
  const auto back = decode_refused(carried(encode_refused(some)), 5).value();
  REQUIRE(back.size() == 1);
  CHECK(back[0].index == 4);
  CHECK(back[0].why.code == ErrorCode::NotFound);
  CHECK(back[0].why.message == "no such copy");
  refused(decode_refused(reply_of(5, 1), 5), "index");
  refused(decode_refused(reply_of(-1, 1), 5), "index");
  CHECK(decode_refused(reply_of(0, 99), 5).value()[0].why.code == ErrorCode::Internal);
}

TEST_CASE("codec: an offered snapshot comes back as it was", "[thrift]") {
  const SnapshotOffer offer{{"cp-1", {{"rocksdb/1.sst", 77}, {"MANIFEST", 0}}, {}},
                            CopyId{std::string(32, 'b')},
                            std::string("terms\0", 6)};
  const auto back = decode_offer(carried(encode_offer(offer).value())).value();
  CHECK(back.checkpoint.id == offer.checkpoint.id);
  CHECK(back.checkpoint.files == offer.checkpoint.files);
  CHECK(back.from == offer.from);
  CHECK(back.message == offer.message);
  auto wrong = offer;
  wrong.checkpoint.files[0].name = "../../etc/passwd";
  refused(encode_offer(wrong), "file");
  wrong = offer;
  wrong.from.text = "b";
  refused(encode_offer(wrong), "from_copy");
  wrong = offer;
  wrong.message.clear();
  refused(encode_offer(wrong), "message");
}

}  // namespace
