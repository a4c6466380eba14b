#include "thrift/framed.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <thrift/transport/TTransportException.h>

namespace quiver::thrift {
namespace {

using apache::thrift::transport::TTransportException;

/// Buffers above this are given back behind each message.
constexpr std::uint32_t kKeptBytes = 256U << 10;
constexpr std::uint32_t kFirstBytes = 4096;
/// Memory that the first part of a frame may take before any of it has arrived.
constexpr std::uint32_t kFirstStep = 64U << 10;

}  // namespace

FramedTransport::FramedTransport(std::shared_ptr<Stream> stream)
    : TFramedTransport(stream, kFirstBytes, kKeptBytes), stream_(std::move(stream)) {}

bool FramedTransport::read_exactly(std::uint8_t* bytes, std::uint32_t size, bool may_end) {
  std::uint32_t done = 0;
  while (done < size) {
    const auto got = stream_->read(bytes + done, size - done);
    if (got == 0) {
      if (done == 0 && may_end) return false;
      throw TTransportException(TTransportException::END_OF_FILE,
                                stream_->peer() + " went away within a message");
    }
    done += got;
  }
  return true;
}

void FramedTransport::reserve(std::uint32_t size, std::uint32_t keep) {
  if (size <= rBufSize_) return;
  boost::scoped_array<std::uint8_t> grown(new std::uint8_t[size]);
  if (keep > 0) std::memcpy(grown.get(), rBuf_.get(), keep);
  rBuf_.swap(grown);
  rBufSize_ = size;
}

bool FramedTransport::readFrame() {
  std::array<std::uint8_t, 4> head{};
  if (!read_exactly(head.data(), head.size(), true)) {
    ended_ = true;
    return false;
  }
  const std::uint32_t size = std::uint32_t{head[0]} << 24U | std::uint32_t{head[1]} << 16U |
                             std::uint32_t{head[2]} << 8U | std::uint32_t{head[3]};
  if (size == 0 || size > read_limit_) {
    throw TTransportException(TTransportException::CORRUPTED_DATA,
                              stream_->peer() + " announced a message of " + std::to_string(size) +
                                  " bytes; 1 to " + std::to_string(read_limit_) + " are read");
  }
  for (std::uint32_t done = 0; done < size;) {
    const std::uint32_t step = std::min(size - done, std::max(done, kFirstStep));
    reserve(done + step, done);
    read_exactly(rBuf_.get() + done, step, false);
    done += step;
  }
  setReadBuffer(rBuf_.get(), size);
  // Strings and lists cannot be larger than the frame that holds them.
  resetConsumedMessageSize();
  resetConsumedMessageSize(size);
  return true;
}

std::uint32_t FramedTransport::readEnd() {
  const bool whole = rBase_ == rBound_;
  const auto size = TFramedTransport::readEnd();
  resetConsumedMessageSize();
  if (!whole) {
    throw TTransportException(TTransportException::CORRUPTED_DATA,
                              stream_->peer() + " sent something behind a message");
  }
  return size;
}

void FramedTransport::writeSlow(const std::uint8_t* bytes, std::uint32_t size) {
  const auto have = static_cast<std::size_t>(wBase_ - wBuf_.get());
  if (have + size > kFrameBytesMax) {
    throw TTransportException(
        TTransportException::BAD_ARGS,
        "a message of more than " + std::to_string(kFrameBytesMax) + " bytes cannot be sent");
  }
  TFramedTransport::writeSlow(bytes, size);
}

void FramedTransport::flush() {
  if (write_time_.count() > 0) stream_->limit(std::chrono::steady_clock::now() + write_time_);
  TFramedTransport::flush();
  ++frames_sent_;
}

std::shared_ptr<WireProtocol> make_protocol(const std::shared_ptr<FramedTransport>& transport) {
  return std::make_shared<WireProtocol>(transport, static_cast<std::int32_t>(kFrameBytesMax),
                                        static_cast<std::int32_t>(kListMax), true, true);
}

}  // namespace quiver::thrift
