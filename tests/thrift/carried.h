#pragma once

#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include "core/filter.h"
#include "core/result.h"

namespace quiver::testing {

/// Through the wire format and back.
template <typename Struct>
Struct carried(const Struct& value) {
  auto buffer = std::make_shared<apache::thrift::transport::TMemoryBuffer>();
  apache::thrift::protocol::TBinaryProtocol protocol(buffer);
  value.write(&protocol);
  Struct out;
  out.read(&protocol);
  return out;
}

template <typename T>
void refused(const Result<T>& result, const std::string& part) {
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::InvalidArgument);
  CHECK_THAT(result.error().message, Catch::Contains(part));
}

inline Filter filter_of(const char* text) {
  return Filter::parse(Json::parse(text)).value();
}

}  // namespace quiver::testing
