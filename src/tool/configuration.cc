#include "tool/configuration.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"
#include "config/document.h"
#include "config/load.h"
#include "config/registry.h"

namespace sternpost::tool {
namespace {

std::expected<std::string, std::string> read_file(const std::string& path) {
  const auto complain = [&] {
    return std::unexpected(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  };
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return complain();
  std::string text(config::kMaxFile + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return complain();
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

std::string absolute_path(const std::string& path) {
  if (path.empty()) return path;
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

std::expected<config::Values, std::vector<std::string>> load_configuration(const Options& options) {
  const auto text = read_file(options.config);
  if (!text) return std::unexpected(std::vector{text.error()});
  return config::load({*text, options.config, absolute_path(options.state)});
}

std::string joined(const std::vector<std::string>& lines) {
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Outcome<std::string> find_state_directory(const Options& options) {
  if (!options.state.empty()) return absolute_path(options.state);
  const auto values = load_configuration(options);
  if (values) return values->text("state_directory");
  if (options.config != Options{}.config) return failure(ExitStatus::usage, joined(values.error()));
  const bool is_broken = ::access(options.config.c_str(), R_OK) == 0;
  if (is_broken) fmt::print(stderr, "{}\n", joined(values.error()));
  return std::string(config::find_parameter("state_directory")->initial);
}

}  // namespace sternpost::tool
