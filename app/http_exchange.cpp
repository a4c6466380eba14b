#include "app/http_exchange.h"

#include <algorithm>
#include <exception>

#include "app/http_head.h"
#include "core/log.h"

namespace quiver::app {
namespace {

void call(const std::function<void()>& gone) {
  if (!gone) return;
  try {
    gone();
  } catch (const std::exception& error) {
    QV_LOG_ERROR("http.gone_threw what={}", error.what());
  }
}

class Stream final : public HttpStream {
 public:
  explicit Stream(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}
  ~Stream() override {
    if (exchange_) exchange_->let_go_of_stream();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool write(std::string_view bytes) override { return exchange_ && exchange_->write(bytes); }
  void end() override {
    if (exchange_) exchange_->end();
  }

 private:
  /// Null: there is nobody to write to.
  const std::shared_ptr<HttpExchange> exchange_;
};

class Responder final : public HttpResponder {
 public:
  explicit Responder(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}
  ~Responder() override { exchange_->let_go_of_responder(); }
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  void respond(HttpResponse response) override { exchange_->respond(std::move(response)); }
  std::shared_ptr<HttpStream> stream(HttpResponse head) override {
    const bool opened = exchange_->open(std::move(head));
    return std::make_shared<Stream>(opened ? exchange_ : nullptr);
  }
  void on_gone(std::function<void()> gone) override { exchange_->on_gone(std::move(gone)); }

 private:
  const std::shared_ptr<HttpExchange> exchange_;
};

/// `response`, or what is sent instead of one that would break the protocol.
HttpResponse sound(HttpResponse response) {
  if (is_sound_head(response)) return response;
  QV_LOG_ERROR("http.bad_head status={}", response.status);
  return problem({ErrorCode::Internal, "the server made a response that cannot be sent"});
}

}  // namespace

std::shared_ptr<HttpResponder> HttpExchange::responder(std::shared_ptr<HttpExchange> exchange) {
  return std::make_shared<Responder>(std::move(exchange));
}

void HttpExchange::respond(HttpResponse response) {
  response = sound(std::move(response));
  bool wakes = false;
  bool repeated = false;
  {
    const MutexLock lock(mutex_);
    share_.release();
    if (state_ == State::Pending) {
      state_ = State::Whole;
      head_ = std::move(response);
      wakes = must_wake();
    } else {
      repeated = state_ != State::Closed;
    }
  }
  if (wakes) wake_();
  if (repeated) QV_LOG_ERROR("http.replied_twice");
}

bool HttpExchange::open(HttpResponse head) {
  if (!is_sound_head(head)) {
    respond(std::move(head));
    return false;
  }
  bool wakes = false;
  bool opened = false;
  bool repeated = false;
  {
    const MutexLock lock(mutex_);
    share_.release();
    if (state_ == State::Pending) {
      opened = !is_gone_;
      state_ = opened ? State::Open : State::Broken;
      queued_ = std::exchange(head.body, {});
      unsent_ = queued_.size();
      head_ = std::move(head);
      wakes = must_wake();
    } else {
      repeated = state_ != State::Closed;
    }
  }
  if (wakes) wake_();
  if (repeated) QV_LOG_ERROR("http.replied_twice");
  return opened;
}

void HttpExchange::on_gone(std::function<void()> gone) {
  // Destroyed without the lock.
  std::function<void()> replaced;
  std::function<void()> late;
  {
    const MutexLock lock(mutex_);
    if (is_gone_) {
      late = std::move(gone);
    } else if (state_ != State::Closed) {
      replaced = std::exchange(gone_, std::move(gone));
    }
  }
  if (late) call(late);
}

bool HttpExchange::write(std::string_view bytes) {
  bool wakes = false;
  bool written = false;
  {
    const MutexLock lock(mutex_);
    if (state_ != State::Open) return false;
    if (bytes.empty()) return true;
    written = unsent_ < stream_bytes_max_;
    if (written) {
      queued_.append(bytes);
      unsent_ += bytes.size();
    } else {
      state_ = State::Broken;
      queued_.clear();
    }
    wakes = must_wake();
  }
  if (!written) QV_LOG_DEBUG("http.slow_reader_cut unsent_max={}", stream_bytes_max_);
  if (wakes) wake_();
  return written;
}

void HttpExchange::end() {
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    if (state_ != State::Open) return;
    state_ = State::Ended;
    wakes = must_wake();
  }
  if (wakes) wake_();
}

void HttpExchange::let_go_of_responder() {
  {
    const MutexLock lock(mutex_);
    share_.release();
    if (state_ != State::Pending) return;
  }
  QV_LOG_ERROR("http.no_reply");
  respond(problem({ErrorCode::Internal, "the server gave no response to this request"}));
}

void HttpExchange::let_go_of_stream() {
  std::function<void()> gone;
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    if (state_ != State::Open) return;
    state_ = State::Broken;
    queued_.clear();
    // Who lets go knows it.
    gone_.swap(gone);
    wakes = must_wake();
  }
  if (wakes) wake_();
}

HttpExchange::Piece HttpExchange::take() {
  const MutexLock lock(mutex_);
  woken_ = false;
  Piece piece;
  piece.broken = state_ == State::Broken || state_ == State::Closed;
  if (piece.broken) return piece;
  piece.head = std::exchange(head_, std::nullopt);
  piece.streams = state_ != State::Whole;
  piece.bytes = std::exchange(queued_, {});
  unsent_ = piece.bytes.size();
  piece.last = state_ == State::Whole || state_ == State::Ended;
  return piece;
}

bool HttpExchange::is_broken() const {
  const MutexLock lock(mutex_);
  return state_ == State::Broken;
}

void HttpExchange::sent(std::size_t bytes) {
  const MutexLock lock(mutex_);
  unsent_ -= std::min(bytes, unsent_);
}

void HttpExchange::finish() {
  std::function<void()> gone;
  const MutexLock lock(mutex_);
  state_ = State::Closed;
  gone_.swap(gone);
}

void HttpExchange::lose() {
  std::function<void()> gone;
  {
    const MutexLock lock(mutex_);
    if (state_ == State::Closed) return;
    state_ = State::Closed;
    is_gone_ = true;
    queued_.clear();
    gone_.swap(gone);
  }
  call(gone);
}

}  // namespace quiver::app
