#include "tool/start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tool/configuration.h"

namespace sternpost::tool {
namespace {

constexpr std::chrono::milliseconds kPoll{20};
constexpr std::chrono::seconds kPatience{120};
constexpr std::size_t kMostOutput = 64 * 1024;
constexpr int kExecFailed = 127;
/// How master's line begins when every listener accepts.
constexpr std::string_view kReadyLine = "sternpost: ready";

std::unexpected<Failure> errno_failure(std::string_view what) {
  return failure(ExitStatus::failed, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// The command line of master, and the array that exec wants of it.
class MasterCommand {
 public:
  static Outcome<MasterCommand> find(const Options& options) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error)
      return failure(ExitStatus::failed, "cannot find out where this program is: " + error.message());
    MasterCommand command;
    const auto program = self.parent_path().parent_path() / "libexec" / "sternpost" / "master";
    command.words_ = {program.string(), absolute_path(options.config)};
    if (!options.state.empty()) command.words_.push_back(absolute_path(options.state));
    return command;
  }

  /// Returns only where it fails. What else the caller has open is none of the server's business.
  void execute() {
    (void)::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    std::vector<char*> words;
    for (auto& word : words_) words.push_back(word.data());
    words.push_back(nullptr);
    ::execv(words[0], words.data());
  }

  [[nodiscard]] const std::string& program() const { return words_[0]; }

 private:
  std::vector<std::string> words_;
};

/// What has been written to `fd` so far, without moving its offset.
std::string output_so_far(int fd) {
  std::string text(kMostOutput, '\0');
  const auto size = ::pread(fd, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

/// The child: its own session, nothing open but /dev/null and the memory file that takes its output.
[[noreturn]] void become_daemon(MasterCommand& command, int output) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const bool ready = ::setsid() >= 0 && null >= 0 && ::dup2(null, STDIN_FILENO) >= 0 &&
                     ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0 &&
                     ::chdir("/") == 0;
  if (ready) command.execute();
  const std::string_view why = std::strerror(errno);
  (void)!::write(output, why.data(), why.size());
  ::_exit(kExecFailed);
}

/// Prints what master said up to its ready line.
Outcome<void> wait_until_ready(pid_t child, int output) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    int status = 0;
    const auto ended = ::waitpid(child, &status, WNOHANG);
    auto text = output_so_far(output);
    if (ended == child || (ended < 0 && errno != EINTR)) {
      if (text.ends_with('\n')) text.pop_back();  // whoever prints the failure ends its line
      const auto code = WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ExitStatus::usage)
                            ? ExitStatus::usage
                            : ExitStatus::failed;
      return failure(code, text.empty() ? "the server ended while starting" : text);
    }
    if (const auto ready = text.find(kReadyLine); ready != std::string::npos) {
      const auto end = text.find('\n', ready);
      if (end != std::string::npos) {
        fmt::print("{}", text.substr(0, end + 1));
        return {};
      }
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(child, SIGTERM);
      return failure(ExitStatus::failed, "the server was not ready in time and was told to stop\n" + text);
    }
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

Outcome<void> start(const Options& options, bool foreground) {
  auto command = MasterCommand::find(options);
  if (!command) return std::unexpected(std::move(command.error()));
  if (foreground) {
    command->execute();
    return errno_failure("cannot run " + command->program());
  }
  // The output stays valid for the whole life of master, whatever becomes of this terminal.
  const UniqueFd output(::memfd_create("sternpost-output", MFD_CLOEXEC));
  if (!output) return errno_failure("cannot make a memory file");
  std::signal(SIGCHLD, SIG_DFL);  // a caller that ignores it would leave us nothing to wait for
  const auto child = ::fork();
  if (child < 0) return errno_failure("cannot fork");
  if (child == 0) become_daemon(*command, output.get());
  return wait_until_ready(child, output.get());
}

}  // namespace sternpost::tool
