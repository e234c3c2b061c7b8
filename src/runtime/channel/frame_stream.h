// Length-prefixed frames over one end of a socket pair: bytes, not meaning. channel.h gives them types.
//
// A frame is a 32-bit length, one byte of type and the payload. The first thing each side sends is the
// fingerprint of the protocol; a different one, a frame beyond the bound or a type that does not decode
// closes the stream with ErrorClass::peer. What is sent gathers until the loop has run every handler that was
// ready, and is then written at once.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "runtime/counters.h"

namespace sternpost {

struct FrameLimits {
  std::size_t max_frame = 0;             ///< bytes of one frame, both ways
  std::size_t max_unsent = 64UL << 20U;  ///< bytes waiting to be written before the stream is closed
  std::size_t max_descriptors = 0;       ///< with one frame, at most 64; 0: the stream carries none
};

class FrameStream {
 public:
  struct Handlers {
    /// A frame and the descriptors that came with it. An error closes the stream (as ErrorClass::peer). Where
    /// the process has no room for a descriptor, a stream that carries one with a frame gives one that is not
    /// open; a stream that carries more is closed.
    std::function<Result<void>(std::uint8_t type, std::string_view payload,
                               std::vector<UniqueFd>& descriptors)>
        on_frame;
    /// Called once, last, when the peer went away (class temporary) or broke the protocol (class peer), never
    /// from inside send() or close(). The handler may destroy the stream.
    std::function<void(const Error& why)> on_closed;
  };

  FrameStream(boost::asio::io_context& loop, UniqueFd socket, std::uint64_t fingerprint, FrameLimits limits,
              TrafficCounters& counters, Handlers handlers);
  ~FrameStream();
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;

  /// Gathers a frame; `fill` appends the payload to the buffer it is given. Its descriptors, which are open,
  /// are held until they are written. Nothing happens on a closed stream.
  template <class Fill>
  void send(std::uint8_t type, Fill&& fill, std::vector<SharedFd> descriptors = {}) {
    if (std::string* out = begin_frame(type)) {
      fill(*out);
      end_frame(std::move(descriptors));
    }
  }

  /// No more reading or writing; on_closed is not called.
  void close();
  [[nodiscard]] bool closed() const;
  [[nodiscard]] std::size_t unsent() const;

 private:
  struct Impl;
  std::string* begin_frame(std::uint8_t type);
  void end_frame(std::vector<SharedFd> descriptors);

  std::shared_ptr<Impl> impl_;
};

}  // namespace sternpost
