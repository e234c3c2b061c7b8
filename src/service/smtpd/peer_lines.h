// The channels to one peer compartment: the newest takes new work, older ones stay until the peer closes
// them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "runtime/channel/channel.h"
#include "runtime/counters.h"

namespace sternpost::smtpd {

/// Channels are told apart by an epoch, a number that rises with each and is never 0.
template <class In, class Out>
class PeerLines {
 public:
  struct Handlers {
    std::function<Result<void>(std::uint32_t epoch, In&& frame)> on_frame;
    /// The channel with that epoch is gone already.
    std::function<void(std::uint32_t epoch, const Error& why)> on_closed;
  };

  PeerLines(boost::asio::io_context& loop, TrafficCounters& counters, std::size_t max_frame,
            Handlers handlers)
      : loop_(loop), counters_(counters), max_frame_(max_frame), handlers_(std::move(handlers)) {}

  /// Adds a channel and answers its epoch.
  std::uint32_t connect(UniqueFd socket) {
    const auto epoch = ++last_epoch_;
    lines_.push_back(
        {epoch, std::make_unique<PeerChannel>(
                    loop_, std::move(socket), FrameLimits{.max_frame = max_frame_}, counters_,
                    typename PeerChannel::Handlers{
                        [this, epoch](In&& frame) { return handlers_.on_frame(epoch, std::move(frame)); },
                        [this, epoch](const Error& why) { closed(epoch, why); }})});
    return epoch;
  }

  /// The epoch of the newest channel, 0 where there is none.
  [[nodiscard]] std::uint32_t current() const { return lines_.empty() ? 0 : lines_.back().epoch; }
  [[nodiscard]] bool has(std::uint32_t epoch) const { return find(epoch) != nullptr; }

  /// Sends on the channel with that epoch, nothing where it is gone; answers the bytes that are sent.
  template <class Frame>
  std::size_t send(std::uint32_t epoch, const Frame& frame) {
    auto* channel = find(epoch);
    if (channel == nullptr) return 0;
    const auto before = channel->unsent();
    channel->send(frame);
    return channel->unsent() - before;
  }

 private:
  using PeerChannel = Channel<In, Out>;
  struct Line {
    std::uint32_t epoch = 0;
    std::unique_ptr<PeerChannel> channel;
  };

  PeerChannel* find(std::uint32_t epoch) const {
    for (const auto& line : lines_) {
      if (line.epoch == epoch) return line.channel.get();
    }
    return nullptr;
  }

  void closed(std::uint32_t epoch, const Error& why) {
    std::erase_if(lines_, [&](const Line& line) { return line.epoch == epoch; });
    handlers_.on_closed(epoch, why);
  }

  boost::asio::io_context& loop_;
  TrafficCounters& counters_;
  std::size_t max_frame_;
  Handlers handlers_;
  std::vector<Line> lines_;
  std::uint32_t last_epoch_ = 0;
};

}  // namespace sternpost::smtpd
