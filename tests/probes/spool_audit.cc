// spool_audit: recovers a spool folder that nobody else uses, as a start does, and prints what is there: a
// line of JSON for each live message, in the order of the queue, and last one that sums up.
#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <limits>
#include <string>

#include "base/unique_fd.h"
#include "runtime/json_text.h"
#include "spool/engine.h"
#include "spool/posix_disk.h"

namespace sternpost {
namespace {

struct Arguments {
  std::string folder;
  std::uint64_t segment_bytes = 0;
};

/// Its id and content; what is wrong instead, where that, or its envelope, cannot be read.
void print(spool::Engine& engine, QueueId id) {
  std::string line;
  JsonWriter json(line);
  json.begin_object().member("id", to_string(id));
  const auto envelope = engine.read_envelope(id);
  const auto content = engine.read_content(id);
  if (envelope && content) {
    json.member("content", *content);
  } else {
    json.member("unreadable", envelope ? content.error().text : envelope.error().text);
  }
  json.end_object();
  fmt::print("{}\n", line);
}

Result<void> audit(const Arguments& arguments) {
  UniqueFd folder(::open(arguments.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno("opening " + arguments.folder);
  spool::PosixDisk disk(std::move(folder));
  spool::SystemClock clock;
  spool::EngineOptions options;
  options.segment_bytes = arguments.segment_bytes;
  options.max_message_bytes = arguments.segment_bytes / 4;
  options.max_spool_bytes = arguments.segment_bytes * spool::kMaxSegments;
  auto opened = spool::Engine::open(disk, clock, options);
  if (!opened) return fail_with(std::move(opened));
  auto& engine = **opened;
  for (const auto& [position, id] : engine.messages_after(0, std::numeric_limits<std::size_t>::max())) {
    print(engine, id);
  }
  std::string summary;
  JsonWriter json(summary);
  json.begin_object().member("torn_tails", engine.recovery().torn_tails).key("quarantined").begin_array();
  for (const auto& one : engine.recovery().quarantined) {
    json.value(fmt::format("{} at {}, {} bytes: {}", one.file, one.offset, one.length, one.why));
  }
  json.end_array().end_object();
  fmt::print("{}\n", summary);
  return {};
}

}  // namespace
}  // namespace sternpost

int main(int argc, char** argv) {
  CLI::App app("What a spool folder holds after recovery");
  sternpost::Arguments arguments;
  app.add_option("folder", arguments.folder)->required();
  app.add_option("--segment", arguments.segment_bytes, "bytes of one")->required();
  CLI11_PARSE(app, argc, argv);
  if (const auto done = sternpost::audit(arguments); !done) {
    fmt::print(stderr, "spool_audit: {}\n", done.error().text);
    return 1;
  }
  return 0;
}
