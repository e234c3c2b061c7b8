// Parameters of the queue manager: what is tried when.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "queue.max_active",
     .type = Type::count,
     .initial = "20000",
     .bounds = {100, 10'000'000},
     .seen_by = "qmgr",
     .summary = "The most messages that are worked on at the same time; the others wait on disk.",
     .details =
         "Messages that wait for their next attempt or are held do not count. The queue manager keeps about "
         "100 octets for each of those, and 10 for each further recipient."},
    {.key = "queue.site_concurrency",
     .type = Type::count,
     .initial = "1000",
     .bounds = {1, 10'000},
     .seen_by = "qmgr",
     .summary = "The most deliveries in hand at one destination, the mailboxes of this host being one."},
    {.key = "queue.retry_min",
     .type = Type::duration,
     .initial = "5m",
     .bounds = {1, kDay},
     .seen_by = "qmgr",
     .summary = "The shortest time from a temporary failure to the next attempt."},
    {.key = "queue.retry_max",
     .type = Type::duration,
     .initial = "2h",
     .bounds = {1, 7 * kDay},
     .seen_by = "qmgr",
     .summary = "The longest time from a temporary failure to the next attempt.",
     .details = "Waits grow with the age of the message from queue.retry_min to this."},
    {.key = "queue.expire",
     .type = Type::duration,
     .initial = "5d",
     .bounds = {1, 365 * kDay},
     .seen_by = "qmgr",
     .summary = "The age at which a temporary failure becomes a permanent one.",
     .details =
         "RFC 5321 section 4.5.4.1 asks for at least 4 to 5 days. The sender is told when it comes to that."},
    {.key = "queue.delay_warning",
     .type = Type::duration,
     .initial = "4h",
     .bounds = {0, 365 * kDay},
     .seen_by = "qmgr",
     .summary = "The age at which the sender of a message is told that it is late; 0 for never.",
     .details = "Told once for each message, and never to lists, robots and the senders of notifications."},
    {.key = "queue.max_backlog",
     .type = Type::count,
     .initial = "100000",
     .bounds = {100, 100'000'000},
     .seen_by = "qmgr",
     .summary = "How many messages may wait for their first attempt before new ones are refused for now.",
     .details = "At a quarter of it clients are slowed down, at the limit MAIL is answered with 452, at four "
                "times the limit "
                "connections with 421. The same holds for queue.max_lag and queue.max_memory, and for "
                "spool.max_size at 80, 90 "
                "and 97 percent. Each change of level is a record with its cause: sternpost why, or decision "
                "pressure in the "
                "log."},
    {.key = "queue.max_lag",
     .type = Type::duration,
     .initial = "2h",
     .bounds = {4, 7 * kDay},
     .seen_by = "qmgr",
     .summary = "How long messages may wait for their first attempt before new ones are refused for now."},
    {.key = "queue.max_memory",
     .type = Type::size,
     .initial = "1 GiB",
     .bounds = {16 * kMiB, 1 * kTiB},
     .seen_by = "qmgr",
     .summary = "How much memory the queue may take before new messages are refused for now.",
     .details = "An estimate: what spool and qmgr keep of each message and recipient."},
    {.key = "queue.bounce_header",
     .type = Type::size,
     .initial = "50 KiB",
     .bounds = {1 * kKiB, 200 * kKiB},
     .seen_by = "spool bounce",
     .summary = "How much of a message's header is returned with a notification; the body never is."},
};

}  // namespace

Topic queue_topic() {
  return {"Retries", "How often delivery is tried, and how much at the same time.", kParameters};
}

}  // namespace sternpost::config
