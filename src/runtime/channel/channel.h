// A channel: frames of one protocol in each direction, as variants of plain structs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "base/codec.h"
#include "runtime/channel/frame_stream.h"

namespace sternpost {

/// std::visit over one lambda for each alternative.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

/// The frame of `type` that `payload` holds; nothing where there is no such type or the payload is not one.
template <class In>
[[nodiscard]] std::optional<In> decode_frame(std::uint8_t type, std::string_view payload) {
  std::optional<In> frame(std::in_place);
  Decoder decoder(payload);
  if (!codec_detail::get_alternative(decoder, type, *frame) || !decoder.at_end()) frame.reset();
  return frame;
}

/// One end of a channel on which `In` arrives and `Out` is sent. Both are std::variant; the type byte of a
/// frame is the index of the alternative. Handlers run on the loop, all frames of one wake-up before anything
/// is written.
template <class In, class Out>
class Channel {
 public:
  struct Handlers {
    /// An error closes the channel as a breach of protocol.
    std::function<Result<void>(In&& frame)> on_frame;
    /// See FrameStream::Handlers::on_closed.
    std::function<void(const Error& why)> on_closed;
  };

  Channel(boost::asio::io_context& loop, UniqueFd socket, FrameLimits limits, TrafficCounters& counters,
          Handlers handlers)
      : stream_(loop, std::move(socket), combined(fingerprint<In>(), fingerprint<Out>()), limits, counters,
                {[handlers](std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors) {
                   return dispatch(handlers, type, payload, descriptors);
                 },
                 handlers.on_closed}) {}

  /// Gathers a frame; it is written when the loop has run every handler that was ready.
  template <class T>
  void send(const T& frame) {
    constexpr auto type = index_of<T>(static_cast<Out*>(nullptr));
    stream_.send(type, [&](std::string& out) { Encoder(out).put(frame); });
  }

  void close() { stream_.close(); }
  [[nodiscard]] bool closed() const { return stream_.closed(); }
  /// Bytes that the peer has not taken yet: a bound for callers that can slow down.
  [[nodiscard]] std::size_t unsent() const { return stream_.unsent(); }

 private:
  static constexpr std::uint64_t combined(std::uint64_t a, std::uint64_t b) { return a ^ b; }

  template <class T, class... A>
  static constexpr std::uint8_t index_of(std::variant<A...>*) {
    static_assert((std::is_same_v<T, A> || ...), "not a frame of this direction");
    std::uint8_t index = 0;
    (void)((std::is_same_v<T, A> || (++index, false)) || ...);
    return index;
  }

  static Result<void> dispatch(const Handlers& handlers, std::uint8_t type, std::string_view payload,
                               const std::vector<UniqueFd>& descriptors) {
    if (!descriptors.empty()) return fail(ErrorClass::peer, "unexpected descriptors");
    auto frame = decode_frame<In>(type, payload);
    if (!frame) return fail(ErrorClass::peer, "malformed frame of type " + std::to_string(type));
    return handlers.on_frame(std::move(*frame));
  }

  FrameStream stream_;
};

}  // namespace sternpost
