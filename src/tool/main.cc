// sternpost: the one command to run and examine the server.
#include <fmt/format.h>

#include <CLI/Error.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "tool/command_line.h"

namespace {

int run(int argc, char** argv) {
  using namespace sternpost::tool;
  Invocation invocation;
  const auto app = make_command_line(invocation);
  // The parser reports by exceptions, --help and --version among them; they end here.
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app->exit(error) == 0 ? 0 : static_cast<int>(ExitStatus::usage);
  }
  const auto done = invocation.command();
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "the output cannot be written: {}\n", std::strerror(errno));
    return static_cast<int>(ExitStatus::failed);
  }
  if (done) return static_cast<int>(ExitStatus::ok);
  if (!done.error().text.empty()) fmt::print(stderr, "{}\n", done.error().text);
  return static_cast<int>(done.error().status);
}

}  // namespace

int main(int argc, char** argv) {
  // Printing fails by an exception where standard output is full or its reader has gone.
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    std::fputs("\n", stderr);
    return static_cast<int>(sternpost::tool::ExitStatus::failed);
  }
}
