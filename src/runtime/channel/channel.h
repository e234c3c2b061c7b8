// A channel: frames of one protocol in each direction, as variants of plain structs.
#pragma once

#include <concepts>
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

/// A frame that may come with a descriptor: its struct has a member `SharedFd descriptor`, which is not among
/// its fields. Whether the two belong together is for the receiver to judge. It is not open where the
/// receiver's process had no room for it.
template <class T>
concept CarriesDescriptor = requires(T& frame) {
  { (frame.descriptor) } -> std::same_as<SharedFd&>;
};

/// Whether any frame of one direction may.
template <class Frames>
inline constexpr bool kCarriesDescriptors = false;
template <class... A>
inline constexpr bool kCarriesDescriptors<std::variant<A...>> = (CarriesDescriptor<A> || ...);

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
      : stream_(loop, std::move(socket), combined(fingerprint<In>(), fingerprint<Out>()),
                with_descriptors(limits), counters,
                {[handlers](std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors) {
                   return dispatch(handlers, type, payload, descriptors);
                 },
                 handlers.on_closed}) {}

  /// Gathers a frame; it is written when the loop has run every handler that was ready. Its descriptor is
  /// held until then.
  template <class T>
  void send(const T& frame) {
    constexpr auto type = index_of<T>(static_cast<Out*>(nullptr));
    std::vector<SharedFd> descriptors;
    if constexpr (CarriesDescriptor<T>) {
      if (frame.descriptor) descriptors.push_back(frame.descriptor);
    }
    stream_.send(type, [&](std::string& out) { Encoder(out).put(frame); }, std::move(descriptors));
  }

  void close() { stream_.close(); }
  [[nodiscard]] bool closed() const { return stream_.closed(); }
  /// Bytes that the peer has not taken yet: a bound for callers that can slow down.
  [[nodiscard]] std::size_t unsent() const { return stream_.unsent(); }

 private:
  static constexpr std::uint64_t combined(std::uint64_t a, std::uint64_t b) { return a ^ b; }

  /// Both ends must agree whether frames tell of descriptors, so it follows from the protocol.
  static FrameLimits with_descriptors(FrameLimits limits) {
    limits.max_descriptors = kCarriesDescriptors<In> || kCarriesDescriptors<Out> ? 1 : 0;
    return limits;
  }

  template <class T, class... A>
  static constexpr std::uint8_t index_of(std::variant<A...>*) {
    static_assert((std::is_same_v<T, A> || ...), "not a frame of this direction");
    std::uint8_t index = 0;
    (void)((std::is_same_v<T, A> || (++index, false)) || ...);
    return index;
  }

  template <class T>
  static SharedFd* descriptor_of(T& frame) {
    if constexpr (CarriesDescriptor<T>) return &frame.descriptor;
    return nullptr;
  }

  static Result<void> dispatch(const Handlers& handlers, std::uint8_t type, std::string_view payload,
                               std::vector<UniqueFd>& descriptors) {
    auto frame = decode_frame<In>(type, payload);
    if (!frame) return fail(ErrorClass::peer, "malformed frame of type " + std::to_string(type));
    if (!descriptors.empty()) {
      auto* const place = std::visit([](auto& one) { return descriptor_of(one); }, *frame);
      if (place == nullptr) return fail(ErrorClass::peer, "unexpected descriptors");
      *place = to_shared(std::move(descriptors.front()));
    }
    return handlers.on_frame(std::move(*frame));
  }

  FrameStream stream_;
};

}  // namespace sternpost
