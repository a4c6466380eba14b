#include "storage/vector_form.h"

#include <cmath>
#include <limits>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

std::string refusal(const Mutation& mutation, Metric metric = Metric::Cosine) {
  const auto status = check_mutation(spec_of(2, metric), mutation);
  if (status.ok()) return "";
  CHECK(status.error().code == ErrorCode::InvalidArgument);
  return status.error().message;
}

UpsertPoints upsert_of(std::vector<float> vector) {
  return UpsertPoints{{point_of(PointId(1), {1, 0}), point_of(PointId(7), std::move(vector))}};
}

}  // namespace

TEST_CASE("index form: of unit length under cosine, else as it is", "[storage][vector]") {
  const std::vector<float> vector{3, 4};
  CHECK(index_form(Metric::Cosine, 2, vector).value() == std::vector<float>{0.6F, 0.8F});
  CHECK(index_form(Metric::Dot, 2, vector).value() == vector);
  CHECK(index_form(Metric::Euclidean, 2, vector).value() == vector);
  // Components whose squares are no floats.
  const std::vector<float> tiny{3e-40F, 4e-40F};
  const auto unit = index_form(Metric::Cosine, 2, tiny).value();
  CHECK(unit[0] == Approx(0.6).epsilon(1e-4));
  CHECK(unit[1] == Approx(0.8).epsilon(1e-4));
}

TEST_CASE("check mutation: refuses vectors that cannot be compared", "[storage][vector]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(refusal(upsert_of({1, 1})) == "");
  CHECK(refusal(upsert_of({1})).find("point 7: ") == 0);
  CHECK(refusal(upsert_of({1, nan})).find("finite") != std::string::npos);
  CHECK(refusal(upsert_of({infinity, 0})).find("finite") != std::string::npos);
  CHECK(refusal(upsert_of({0, 0})).find("zero") != std::string::npos);
  CHECK(refusal(upsert_of({0, 0}), Metric::Dot) == "");
  CHECK(refusal(upsert_of({0, 0}), Metric::Euclidean) == "");
  CHECK(refusal(upsert_of({2e18F, 0})).find("1e18") != std::string::npos);
  CHECK(refusal(upsert_of({9e17F, 0}), Metric::Dot) == "");
}

TEST_CASE("check mutation: refuses payloads that are no objects and text that is no UTF-8",
          "[storage][vector]") {
  auto upsert = upsert_of({1, 1});
  upsert.points[1].payload = Json::array();
  CHECK(refusal(upsert) == "point 7: payload: must be a JSON object, got array");
  upsert = upsert_of({1, 1});
  upsert.points[1].text = "\xC3";
  CHECK(refusal(upsert) == "point 7: text: not valid UTF-8");
  UpdatePayload update;
  update.payload = 5;
  CHECK(refusal(update) == "payload: must be a JSON object, got number");
  CHECK(refusal(ErasePoints{{PointId(1)}}) == "");
}
