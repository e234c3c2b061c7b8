// Parameters of the queue on disk.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "spool.segment",
     .type = Type::size,
     .initial = "64 MiB",
     .bounds = {kMiB, kGiB},
     .reload = Reload::restart,
     .seen_by = "spool",
     .summary = "The size of one segment file of the queue.",
     .details =
         "Must be a multiple of 4 KiB. Half of it must hold a message of 64 KiB to smtp.max_recipients; "
         "longer content is a file of its own."},
    {.key = "spool.spare_segments",
     .type = Type::count,
     .initial = "3",
     .bounds = {2, 64},
     .seen_by = "spool",
     .summary = "How many segments are kept written and ready, so that no message waits for one.",
     .details =
         "While mail comes in, two are kept ready; the others are prepared when it pauses, so that a burst "
         "of that size costs nothing else. The last one is for recycling: with only that one left, "
         "clients get 452."},
    {.key = "spool.max_size",
     .type = Type::size,
     .initial = "16 GiB",
     .bounds = {8 * kMiB, 64 * kTiB},
     .seen_by = "spool",
     .summary = "The most space that the queue takes.",
     .details =
         "When its segments are full of mail that is not finished, clients get 452; the last spare ones are "
         "kept for the outcomes of deliveries. Must hold the spare segments, at least two more, and a "
         "message of smtp.max_message."},
    {.key = "spool.deferred_directory",
     .type = Type::folder,
     .initial = "spool",
     .bounds = {1, 1'024},
     .reload = Reload::restart,
     .seen_by = "master spool",
     .summary = "The folder of the segments with mail that stays, which may be on another disk.",
     .details =
         "Mail that is still there when its segment is reused is moved to the deferred log. With a folder on "
         "another disk, new mail keeps the first one for itself. A relative path is below the state "
         "directory, and \"spool\" is the folder of the queue itself. With the option --state an absolute "
         "path "
         "elsewhere is not used. To change it, stop the server and move the files segment-* along; the "
         "server does not start where one is missing. Under systemd another folder than the default must be "
         "in the unit's ReadWritePaths."},
    {.key = "spool.min_free",
     .type = Type::size,
     .initial = "256 MiB",
     .bounds = {kMiB, 64 * kTiB},
     .seen_by = "spool",
     .summary = "The space that stays free on each disk of the queue: the queue does not grow into it.",
     .details =
         "Mail is still taken as long as it fits into the segments that are there; when they are full, "
         "clients get 452."},
    {.key = "spool.max_buffered",
     .type = Type::size,
     .initial = "256 MiB",
     .bounds = {kMiB, 64 * kGiB},
     .seen_by = "spool",
     .summary = "The most memory for content that is on its way to its file, all clients together.",
     .details =
         "Of messages of more than 64 KiB, with their recipients, and of notices. At most 1 MiB of each is "
         "on its way at a time, and 8 MiB from each worker: clients that send faster than the disk takes it "
         "are slowed down. No worker gets more than is left for the others. A message that finds no room is "
         "refused with 452."},
};

}  // namespace

Topic spool_topic() {
  return {"Queue on disk",
          "The queue is a log of segments. These keys bound the space and the memory that it takes.",
          kParameters};
}

}  // namespace sternpost::config
