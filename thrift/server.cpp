#include "thrift/server.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <thrift/TOutput.h>
#include <unistd.h>

#include "core/log.h"
#include "thrift/address.h"
#include "thrift/wire_handler.h"

namespace quiver::thrift {
namespace {

constexpr int kBacklog = 256;
/// A machine out of file descriptors is asked again after so long.
constexpr std::chrono::milliseconds kAcceptPause{50};

std::string reason(int number) {
  return std::system_category().message(number);
}

Result<int> listen_on(const SocketAddress& address) {
  const int fd = ::socket(address.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd >= 0 && ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      ::bind(fd, address.data(), address.size()) == 0 && ::listen(fd, kBacklog) == 0) {
    return fd;
  }
  const Error error{ErrorCode::Unavailable,
                    "cannot listen on " + address.display() + ": " + reason(errno)};
  if (fd >= 0) ::close(fd);
  return error;
}

}  // namespace

/// One connection and its thread.
class NodeServer::Session {
 public:
  Session(ServerContext& context, std::shared_ptr<Stream> stream, Lanes::Place place)
      : context_(context),
        stream_(std::move(stream)),
        framed_(std::make_shared<FramedTransport>(stream_)),
        handler_(std::make_shared<WireHandler>(context, stream_, framed_, std::move(place))) {}

  /// Until the peer goes, does what it should not, or the server stops.
  void serve();
  void stop_reading() const { stream_->shut(SHUT_RD); }
  void cut() {
    handler_->cancel();
    stream_->shut(SHUT_RDWR);
  }

  std::thread thread;
  /// Guarded by the server's mutex.
  bool ended = false;

 private:
  void converse();

  ServerContext& context_;
  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<FramedTransport> framed_;
  const std::shared_ptr<WireHandler> handler_;
};

void NodeServer::Session::serve() {
  try {
    converse();
  } catch (const std::exception& problem) {
    if (!context_.stopping && !framed_->has_ended()) {
      context_.refusals.refused(stream_->peer(), problem.what());
    }
  }
  // The peer sees the end, and a reply that is still on its way to it in front of that.
  stream_->shut(SHUT_RDWR);
  handler_->leave();
}

void NodeServer::Session::converse() {
  const auto& options = context_.options;
  const auto greeted_by = std::chrono::steady_clock::now() + options.greeting_time;
  stream_->limit(greeted_by);
  if (context_.security.tls) {
    const auto secured = stream_->start_tls(*context_.security.tls, Stream::Role::Server);
    if (!secured.ok()) return context_.refusals.refused(stream_->peer(), secured.error().message);
  }
  wire::NodeWireProcessor processor(handler_);
  const auto protocol = make_protocol(framed_);
  framed_->set_write_time(options.frame_time);
  while (!context_.stopping && !handler_->is_closing()) {
    const bool open = handler_->is_open();
    stream_->limit(open ? std::chrono::steady_clock::now() + options.idle_time : greeted_by);
    if (!stream_->wait_readable()) {
      if (!open) context_.refusals.refused(stream_->peer(), "did not greet in time");
      return;
    }
    if (open) stream_->limit(std::chrono::steady_clock::now() + options.frame_time);
    if (!processor.process(protocol, protocol, nullptr)) return;
  }
}

Result<std::unique_ptr<NodeServer>> NodeServer::start(LocalNode self, Security security,
                                                      const ServerOptions& options,
                                                      NodeHandler& handler, Admit admit) {
  // The library would write what strangers send to stderr, line by line.
  apache::thrift::GlobalOutput.setOutputFunction(
      [](const char* text) { QV_LOG_DEBUG("thrift_said text=\"{}\"", text); });
  QV_TRY(const auto address, SocketAddress::numeric(options.address, options.port));
  if (!security.tls && !options.allow_public && !address.is_private()) {
    return Error{ErrorCode::FailedPrecondition,
                 options.address +
                     " is not a private address: calls between nodes are not encrypted there. Use "
                     "a private address, or certificates, or allow it explicitly"};
  }
  QV_TRY(const int listener, listen_on(address));
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    const Error error{ErrorCode::ResourceExhausted, "no eventfd: " + reason(errno)};
    ::close(listener);
    return error;
  }
  auto context = std::unique_ptr<ServerContext>(new ServerContext{std::move(self),
                                                                  std::move(security),
                                                                  options,
                                                                  handler,
                                                                  std::move(admit),
                                                                  Lanes(options),
                                                                  {},
                                                                  false});
  std::unique_ptr<NodeServer> server(new NodeServer(std::move(context), listener, wake));
  QV_TRY(const auto bound, SocketAddress::of_listener(listener));
  server->port_ = bound.port();
  server->address_ = bound.display();
  try {
    server->acceptor_ = std::thread([raw = server.get()] { raw->accept_all(); });
  } catch (const std::system_error& problem) {
    return Error{ErrorCode::ResourceExhausted,
                 std::string("no thread to listen with: ") + problem.what()};
  }
  return server;
}

NodeServer::NodeServer(std::unique_ptr<ServerContext> context, int listener, int wake)
    : context_(std::move(context)), listener_(listener), wake_(wake) {}

NodeServer::~NodeServer() {
  stop(std::chrono::milliseconds(0));
  ::close(listener_);
  ::close(wake_);
}

std::size_t NodeServer::connections(Purpose purpose) const {
  return context_->lanes.used(purpose);
}

std::size_t NodeServer::strangers() const {
  return context_->lanes.greeting();
}

std::uint64_t NodeServer::refused() const {
  return context_->refusals.count();
}

void NodeServer::accept_all() {
  while (!context_->stopping) {
    std::array<pollfd, 2> watched{{{listener_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      QV_LOG_ERROR("node_server_poll_failed why=\"{}\"", reason(errno));
      std::this_thread::sleep_for(kAcceptPause);
      continue;
    }
    if ((watched[1].revents & POLLIN) != 0) {
      std::uint64_t times = 0;
      static_cast<void>(!::read(wake_, &times, sizeof(times)));
      reap();
    }
    if ((watched[0].revents & POLLIN) != 0 && !context_->stopping) accept_one();
  }
}

void NodeServer::accept_one() {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  const int fd = ::accept4(listener_, reinterpret_cast<sockaddr*>(&storage), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      QV_LOG_ERROR("node_server_accept_failed why=\"{}\"", reason(errno));
      std::this_thread::sleep_for(kAcceptPause);
    }
    return;
  }
  const SocketAddress peer(reinterpret_cast<const sockaddr*>(&storage), size);
  auto stream = std::make_shared<Stream>(fd, peer.display());
  auto place = context_->lanes.enter_greeting();
  if (!place) {
    return context_->refusals.refused(stream->peer(), "too many connections have not greeted yet");
  }
  auto session = std::make_unique<Session>(*context_, std::move(stream), std::move(*place));
  const MutexLock lock(mutex_);
  auto& added = *sessions_.emplace_back(std::move(session));
  try {
    added.thread = std::thread([this, &added] {
      added.serve();
      end(added);
    });
    ++running_;
  } catch (const std::system_error& problem) {
    QV_LOG_ERROR("node_server_no_thread why=\"{}\"", problem.what());
    sessions_.pop_back();
  }
}

void NodeServer::end(Session& session) {
  const MutexLock lock(mutex_);
  session.ended = true;
  --running_;
  ended_.notify_all();
  const std::uint64_t once = 1;
  static_cast<void>(!::write(wake_, &once, sizeof(once)));
}

void NodeServer::reap() {
  std::list<std::unique_ptr<Session>> gone;
  {
    const MutexLock lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto next = std::next(at);
      if ((*at)->ended) gone.splice(gone.end(), sessions_, at);
      at = next;
    }
  }
  for (auto& session : gone) session->thread.join();
}

bool NodeServer::stop(std::chrono::milliseconds grace) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return true;
    stopped_ = true;
  }
  const auto until = std::chrono::steady_clock::now() + grace;
  context_->stopping = true;
  const std::uint64_t once = 1;
  static_cast<void>(!::write(wake_, &once, sizeof(once)));
  if (acceptor_.joinable()) acceptor_.join();
  // Who comes now is refused by the system at once, instead of waiting for a greeting.
  static_cast<void>(::shutdown(listener_, SHUT_RDWR));
  bool by_themselves = true;
  std::list<std::unique_ptr<Session>> sessions;
  {
    const MutexLock lock(mutex_);
    for (const auto& session : sessions_) session->stop_reading();
    while (running_ > 0 && ended_.wait_until(mutex_, until)) {
    }
    by_themselves = running_ == 0;
    sessions.swap(sessions_);
  }
  if (!by_themselves) {
    for (const auto& session : sessions) session->cut();
  }
  for (auto& session : sessions) session->thread.join();
  return by_themselves;
}

}  // namespace quiver::thrift
