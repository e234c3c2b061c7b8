// Parameters of the SMTP server.
#include "config/registry.h"

namespace sternpost::config {
namespace {

/// The descriptors that one frame of the control channel carries, without the two that come before them.
constexpr std::uint64_t kMostListeners = 62;

constexpr Parameter kParameters[] = {
    {.key = "smtp.listen",
     .type = Type::endpoints,
     .initial = "0.0.0.0:25 [::]:25",
     .bounds = {1, kMostListeners},
     .seen_by = "master",
     .summary = "The addresses and ports on which SMTP is served."},
    {.key = "smtp.workers",
     .type = Type::count,
     .initial = "0",
     .bounds = {0, 256},
     .seen_by = "master",
     .summary = "How many server processes share the listening sockets; 0 is one for each core."},
    {.key = "smtp.max_message",
     .type = Type::size,
     .initial = "25 MiB",
     .bounds = {64 * kKiB, kGiB},
     .seen_by = "smtpd spool",
     .summary = "The largest message that is accepted, as the client sends it.",
     .details =
         "Announced to clients (RFC 1870). The content of a message of more than 64 KiB is a file of its own "
         "in the queue, so it must fit into spool.max_size beside the segments."},
    {.key = "smtp.max_recipients",
     .type = Type::count,
     .initial = "1000",
     .bounds = {100, 10'000},
     .seen_by = "smtpd",
     .summary = "The most recipients of one message.",
     .details =
         "RFC 5321 section 4.5.3.1.8 asks for at least 100. Clients send the rest in another transaction. "
         "The recipients of a message must fit into half of spool.segment: 8 MiB are enough for 10,000."},
    {.key = "smtp.max_command_line",
     .type = Type::size,
     .initial = "4096",
     .bounds = {512, 64 * kKiB},
     .seen_by = "smtpd",
     .summary = "The longest command line with its CRLF (RFC 5321 section 4.5.3.1.4)."},
    {.key = "smtp.max_text_line",
     .type = Type::size,
     .initial = "64 KiB",
     .bounds = {1'000, 16 * kMiB},
     .seen_by = "smtpd",
     .summary = "The longest line of a message with its CRLF.",
     .details = "RFC 5321 section 4.5.3.1.6 asks for 1,000 octets; much legitimate mail has longer lines."},
    {.key = "smtp.max_commands",
     .type = Type::count,
     .initial = "1000000",
     .bounds = {100, 1'000'000'000},
     .seen_by = "smtpd",
     .summary = "The most commands in one session; after that it is closed with 421."},
    {.key = "smtp.max_errors",
     .type = Type::count,
     .initial = "20",
     .bounds = {1, 100'000},
     .seen_by = "smtpd",
     .summary = "The most refused commands in one session; after that it is closed with 421."},
    {.key = "smtp.max_messages",
     .type = Type::count,
     .initial = "100000",
     .bounds = {1, 100'000'000},
     .seen_by = "smtpd",
     .summary = "The most messages in one session; after that it is closed with 421."},
    {.key = "smtp.max_hops",
     .type = Type::count,
     .initial = "50",
     .bounds = {10, 1'000},
     .seen_by = "smtpd",
     .summary = "The most Received fields; a message with more is refused as a loop.",
     .details = "RFC 5321 section 6.3 suggests at least 100; other servers use 50."},
    {.key = "smtp.command_timeout",
     .type = Type::duration,
     .initial = "5m",
     .bounds = {1, kHour},
     .seen_by = "smtpd",
     .summary =
         "How long the server waits for the next command (RFC 5321 section 4.5.3.2.7: at least 5 minutes)."},
    {.key = "smtp.data_timeout",
     .type = Type::duration,
     .initial = "5m",
     .bounds = {1, kHour},
     .seen_by = "smtpd",
     .summary = "How long the server waits for the next piece of a message's content."},
    {.key = "smtp.session_timeout",
     .type = Type::duration,
     .initial = "6h",
     .bounds = {10, 7 * kDay},
     .seen_by = "smtpd",
     .summary = "How long a session may last; after that it is closed with 421 between two messages."},
    {.key = "smtp.max_sessions",
     .type = Type::count,
     .initial = "1000",
     .bounds = {1, 65'000},
     .seen_by = "smtpd",
     .summary = "The most sessions of one worker at the same time; further clients get 421."},
    {.key = "smtp.max_sessions_per_client",
     .type = Type::count,
     .initial = "200",
     .bounds = {1, 65'000},
     .seen_by = "smtpd",
     .summary = "The most sessions of one client (an IPv4 address or an IPv6 /64) in one worker at the same "
                "time; further "
                "ones get 421."},
    {.key = "smtp.retire_sessions",
     .type = Type::count,
     .initial = "10000",
     .bounds = {1, 1'000'000'000},
     .seen_by = "smtpd",
     .summary = "A worker is replaced by a fresh process after serving so many sessions.",
     .details =
         "Whatever an attacker may have left in a worker ends with it. Running sessions are finished first."},
    {.key = "smtp.retire_time",
     .type = Type::duration,
     .initial = "1d",
     .bounds = {10, 365 * kDay},
     .seen_by = "smtpd",
     .summary = "A worker is replaced by a fresh process after this time."},
    {.key = "smtp.normalize",
     .type = Type::boolean,
     .initial = "false",
     .seen_by = "smtpd",
     .summary = "Take LF alone as the line end of a session whose first line ends so.",
     .details =
         "For clients that send no CRLF at all. The first line of the session fixes its line end; content "
         "that mixes the two is refused, so that nothing can be smuggled. A bare CR is refused in any case."},
    {.key = "smtp.hold",
     .type = Type::boolean,
     .initial = "false",
     .seen_by = "smtpd",
     .summary = "Put all new mail on hold: it is accepted and waits until `sternpost queue release`."},
};

}  // namespace

Topic smtp_topic() {
  return {"SMTP server", "Limits are per session, per worker or per message, as each of them says.",
          kParameters};
}

}  // namespace sternpost::config
