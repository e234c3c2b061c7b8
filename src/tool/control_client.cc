#include "tool/control_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/codec.h"
#include "tool/configuration.h"

namespace sternpost::tool {
namespace {

constexpr time_t kPatienceSeconds = 120;

std::unexpected<Failure> connect_failure(const std::string& path, int error) {
  if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR) {
    return failure(ExitStatus::not_running, fmt::format("no instance is running at {}", path));
  }
  if (error == EACCES || error == EPERM) {
    return failure(
        ExitStatus::failed,
        fmt::format("you may not use {}: be root, the user who started the instance, or a member of the "
                    "group that admin.control_group names",
                    path));
  }
  return failure(ExitStatus::failed, fmt::format("cannot connect to {}: {}", path, std::strerror(error)));
}

std::unexpected<Failure> conversation_failure(std::string_view what, int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) {
    return failure(ExitStatus::failed, "the instance does not answer");
  }
  if (error == 0 || error == ECONNRESET || error == EPIPE) {
    return failure(ExitStatus::failed, "the instance closed the connection");
  }
  return failure(ExitStatus::failed, fmt::format("{} the instance: {}", what, std::strerror(error)));
}

}  // namespace

Outcome<ControlClient> ControlClient::connect(const std::string& state_directory) {
  const auto path = state_directory + "/run/control";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return failure(ExitStatus::usage, fmt::format("{} is too long for the name of a socket", path));
  }
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return connect_failure(path, errno);
  const timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
    return connect_failure(path, errno);
  }
  // The interface of sockets wants this cast; sockaddr_un begins as every sockaddr does.
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return connect_failure(path, errno);
  }
  ControlClient client(std::move(socket));
  if (auto greeted = client.greet(); !greeted) return std::unexpected(std::move(greeted.error()));
  return client;
}

Outcome<void> ControlClient::greet() {
  constexpr std::uint64_t kFingerprint = fingerprint<admin::Request>() ^ fingerprint<admin::Reply>();
  // An instance of another version may have said who it is, and gone, before it could be told anything.
  auto sent = send(encode(kFingerprint));
  const auto theirs = receive(sizeof(kFingerprint));
  if (!theirs) return std::unexpected(theirs.error());
  if (decode<std::uint64_t>(*theirs) != kFingerprint) {
    return failure(ExitStatus::failed, "the running instance is of another version than this program");
  }
  return sent;
}

Outcome<admin::Reply> ControlClient::exchange(const admin::Request& request) {
  // A variant is encoded as the frame's type byte and its payload.
  const auto frame = encode(request);
  if (auto sent = send(encode(static_cast<std::uint32_t>(frame.size())) + frame); !sent) {
    return std::unexpected(std::move(sent.error()));
  }
  const auto header = receive(sizeof(std::uint32_t));
  if (!header) return std::unexpected(header.error());
  const auto size = decode<std::uint32_t>(*header);
  if (!size || *size == 0 || *size > admin::kMaxFrame) {
    return failure(ExitStatus::failed, "the instance sent a malformed answer");
  }
  const auto bytes = receive(*size);
  if (!bytes) return std::unexpected(bytes.error());
  auto reply = decode<admin::Reply>(*bytes);
  if (!reply) return failure(ExitStatus::failed, "the instance sent a malformed answer");
  return std::move(*reply);
}

Outcome<void> ControlClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return conversation_failure("asking", errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Outcome<std::string> ControlClient::receive(std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t at = 0;
  while (at < size) {
    const auto count = ::recv(socket_.get(), bytes.data() + at, size - at, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return conversation_failure("hearing", count == 0 ? 0 : errno);
    at += static_cast<std::size_t>(count);
  }
  return bytes;
}

void ControlClient::wait_for_end() {
  while (receive(1)) {
  }
}

Outcome<ControlClient> connect_to_instance(const Options& options) {
  const auto state = find_state_directory(options);
  if (!state) return std::unexpected(state.error());
  return ControlClient::connect(*state);
}

}  // namespace sternpost::tool
