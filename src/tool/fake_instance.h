// For tests: a control socket that answers as it is told.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "base/codec.h"
#include "base/unique_fd.h"
#include "service/admin/protocol.h"

namespace sternpost::tool {

inline constexpr std::uint64_t kFingerprint = fingerprint<admin::Request>() ^ fingerprint<admin::Reply>();

/// An instance's control socket, served by a thread that runs `serve` on the first connection.
class FakeInstance {
 public:
  explicit FakeInstance(std::function<void(int)> serve) {
    std::string name = testing::TempDir() + "control-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    state_ = name;
    std::filesystem::create_directory(state_ / "run");
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (state_ / "run/control").string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd connection(::accept(listener_.get(), nullptr, nullptr));
      serve(connection.get());
    });
  }
  ~FakeInstance() {
    thread_.join();
    std::filesystem::remove_all(state_);
  }

  [[nodiscard]] std::string state() const { return state_.string(); }

 private:
  std::filesystem::path state_;
  UniqueFd listener_;
  std::thread thread_;
};

inline void put(int fd, const std::string& bytes) {
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

inline std::string take(int fd, std::size_t size) {
  std::string bytes(size, '\0');
  EXPECT_EQ(::recv(fd, bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
  return bytes;
}

inline void greet(int fd) {
  put(fd, encode(kFingerprint));
  EXPECT_EQ(decode<std::uint64_t>(take(fd, 8)), kFingerprint);
}

/// Reads one request and answers it with what `reply_to` makes of it.
template <class ReplyTo>
void answer_one(int fd, ReplyTo&& reply_to) {
  const auto size = decode<std::uint32_t>(take(fd, 4));
  ASSERT_TRUE(size);
  const auto request = decode<admin::Request>(take(fd, *size));
  ASSERT_TRUE(request);
  const auto frame = encode(admin::Reply(reply_to(*request)));
  put(fd, encode(static_cast<std::uint32_t>(frame.size())) + frame);
}

/// Greets, reads one request and answers it.
inline void answer_once(int fd, const admin::Reply& reply) {
  greet(fd);
  answer_one(fd, [&](const admin::Request&) { return reply; });
}

}  // namespace sternpost::tool
