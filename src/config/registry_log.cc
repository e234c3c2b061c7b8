// Parameters of the log and the history of decisions.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "log.max_file",
     .type = Type::size,
     .initial = "64 MiB",
     .bounds = {64 * kKiB, 64 * kGiB},
     .seen_by = "log",
     .summary = "A file of the log is rotated when it is larger."},
    {.key = "log.keep_files",
     .type = Type::count,
     .initial = "8",
     .bounds = {1, 1'000},
     .seen_by = "log",
     .summary = "How many rotated files are kept of each kind.",
     .details = "`sternpost why` can tell the story of a message only as long as its records are kept."},
    {.key = "log.text",
     .type = Type::boolean,
     .initial = "true",
     .seen_by = "log",
     .summary = "Write mail.log, one readable line for each decision, beside history.jsonl."},
};

}  // namespace

Topic log_topic() {
  return {"Log", "mail.log is for people, history.jsonl for programs and for `sternpost why`.", kParameters};
}

}  // namespace sternpost::config
