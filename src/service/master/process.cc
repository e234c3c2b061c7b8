#include "service/master/process.h"

#include <sys/wait.h>

#include <csignal>

namespace sternpost {

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
      control_(
          loop, std::move(launched.control),
          fingerprint<control::ToService>() ^ fingerprint<control::FromService>(),
          FrameLimits{.max_frame = control::kMaxFrame, .max_descriptors = control::kMaxDescriptors}, traffic,
          {[this](std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors) {
             return on_frame(type, payload, descriptors);
           },
           // It closed its end or broke the protocol: either way it must not go on. Its end is seen below.
           [this](const Error&) { kill(); }}) {
  pid_descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                             [this](const boost::system::error_code& error) {
                               if (!error) reap();
                             });
}

void Process::send(const control::ToService& frame, const std::vector<int>& descriptors) {
  std::visit(
      [&](const auto& alternative) {
        control_.send(
            static_cast<std::uint8_t>(frame.index()),
            [&](std::string& out) { Encoder(out).put(alternative); }, descriptors);
      },
      frame);
}

void Process::kill() {
  ::kill(pid_, SIGKILL);
}

Result<void> Process::on_frame(std::uint8_t type, std::string_view payload,
                               std::vector<UniqueFd>& descriptors) {
  control::FromService frame;
  Decoder decoder(payload);
  if (!codec_detail::get_alternative(decoder, type, frame) || !decoder.at_end()) {
    return fail(ErrorClass::peer, "malformed control frame");
  }
  handlers_.on_frame(*this, std::move(frame), descriptors);
  return {};
}

void Process::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  auto how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                 : "exit " + std::to_string(WEXITSTATUS(status));
  handlers_.on_end(*this, std::move(how));
}

}  // namespace sternpost
