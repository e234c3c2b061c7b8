#include "service/master/process.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <csignal>

#include "runtime/channel/channel.h"

namespace sternpost {
namespace {

constexpr Seconds kTimeToEnd{2};

}  // namespace

std::string_view to_string(ProcessState state) {
  switch (state) {
    case ProcessState::starting:
      return "starting";
    case ProcessState::running:
      return "running";
    case ProcessState::draining:
      return "draining";
  }
  return "";
}

Process::Process(boost::asio::io_context& loop, TrafficCounters& traffic, Compartment row,
                 std::uint32_t instance, std::uint64_t generation, Launched launched, Handlers handlers)
    : row_(row),
      instance_(instance),
      generation_(generation),
      pid_(launched.pid),
      since_(wall_now()),
      handlers_(std::move(handlers)),
      pid_descriptor_(loop, launched.pid_descriptor.release()),
      control_(loop, std::move(launched.control),
               fingerprint<control::ToService>() ^ fingerprint<control::FromService>(),
               FrameLimits{.max_frame = control::kMaxFrame, .max_descriptors = control::kMaxDescriptors},
               traffic,
               {[this](std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors) {
                  return on_frame(type, payload, descriptors);
                },
                [this](const Error& why) { on_closed(why); }}),
      kill_timer_(loop) {
  pid_descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                             [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
                               if (!error && !alive.expired()) reap();
                             });
}

Process::~Process() {
  if (reaped_) return;
  kill();
  wait();
}

void Process::send(const control::ToService& frame, std::vector<SharedFd> descriptors) {
  std::visit(
      [&](const auto& alternative) {
        control_.send(
            static_cast<std::uint8_t>(frame.index()),
            [&](std::string& out) { Encoder(out).put(alternative); }, std::move(descriptors));
      },
      frame);
}

void Process::send_copies(const control::ToService& frame, const std::vector<int>& descriptors) {
  std::vector<SharedFd> copies;
  for (const int fd : descriptors) {
    copies.push_back(to_shared(UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0))));
    if (!*copies.back()) return kill();
  }
  send(frame, std::move(copies));
}

void Process::kill() {
  ::kill(pid_, SIGKILL);
}

void Process::end_now() {
  end_expected = true;
  kill();
}

Result<void> Process::on_frame(std::uint8_t type, std::string_view payload,
                               std::vector<UniqueFd>& descriptors) {
  auto frame = decode_frame<control::FromService>(type, payload);
  if (!frame) return fail(ErrorClass::peer, "malformed control frame");
  handlers_.on_frame(*this, std::move(*frame), descriptors);
  return {};
}

/// Without a control channel it must not go on. One that broke the protocol ends now; one that closed its end
/// is most likely ending by itself, and what it exits with is worth knowing.
void Process::on_closed(const Error& why) {
  if (why.what_to_do == ErrorClass::peer) {
    failure = "it broke the control protocol: " + why.text;
    return kill();
  }
  kill_timer_.expires_after(kTimeToEnd);
  // As that of the pid, the handler may be about to run when the process is reaped and this object goes.
  kill_timer_.async_wait([pid = pid_, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
    if (!error && !alive.expired()) ::kill(pid, SIGKILL);
  });
}

int Process::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  return status;
}

void Process::reap() {
  const int status = wait();
  auto how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                 : "exit " + std::to_string(WEXITSTATUS(status));
  handlers_.on_end(*this, std::move(how));
}

}  // namespace sternpost
