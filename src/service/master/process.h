// One running compartment as master sees it: its process, its control channel, its state.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"
#include "runtime/channel/frame_stream.h"
#include "runtime/control_protocol.h"
#include "service/master/launcher.h"

namespace sternpost {

enum class ProcessState : unsigned char { starting, running, draining };

std::string_view to_string(ProcessState state);

class Process {
 public:
  struct Handlers {
    std::function<void(Process&, control::FromService&&, std::vector<UniqueFd>& descriptors)> on_frame;
    /// The process has ended and is reaped; `how` is "exit 0" or "signal 9". The handler may destroy it.
    std::function<void(Process&, std::string how)> on_end;
  };

  Process(boost::asio::io_context& loop, TrafficCounters& counters, Compartment row, std::uint32_t instance,
          std::uint64_t generation, Launched launched, Handlers handlers);

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Kills and reaps it where it has not ended.
  ~Process();

  void send(const control::ToService& frame, std::vector<SharedFd> descriptors = {});
  /// Sends copies of descriptors that stay the caller's. Where there is no room for them it is killed:
  /// without this frame it cannot go on.
  void send_copies(const control::ToService& frame, const std::vector<int>& descriptors);
  void kill();
  /// Kills it, and nobody is to wonder: its end is expected.
  void end_now();

  [[nodiscard]] Compartment row() const { return row_; }
  [[nodiscard]] std::uint32_t instance() const { return instance_; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  void set_generation(std::uint64_t generation) { generation_ = generation; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] WallTime since() const { return since_; }

  /// It finishes what it has in hand, in its own time.
  [[nodiscard]] bool is_draining_at_leisure() const {
    return state == ProcessState::draining && !end_expected;
  }

  ProcessState state = ProcessState::starting;
  /// Why it could not start, where it said so before it ended.
  std::string failure;
  /// It was asked to end, or its end is expected.
  bool end_expected = false;
  std::vector<control::Counter> counters;
  /// The layers that confine it, by its own word.
  std::vector<std::string> layers;

 private:
  Result<void> on_frame(std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors);
  void on_closed(const Error& why);
  void reap();
  int wait();

  Compartment row_;
  std::uint32_t instance_;
  std::uint64_t generation_;
  pid_t pid_;
  bool reaped_ = false;
  WallTime since_;
  Handlers handlers_;
  boost::asio::posix::stream_descriptor pid_descriptor_;
  FrameStream control_;
  boost::asio::steady_timer kill_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sternpost
