// Decision records: one typed value for every decision, from which log lines, JSON and `sternpost why` are
// made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "base/rule.h"
#include "base/time.h"
#include "runtime/compartment.h"

namespace sternpost {

enum class Decision : unsigned char {
  disconnected,  ///< a client's session ended; facts: messages, refusals, why
  accepted,      ///< a message is in the queue
  refused,       ///< a command, recipient, message or client was refused
  routed,        ///< a recipient got its agent and site
  delivered,     ///< final
  deferred,      ///< to be tried again at `next`
  failed,        ///< final, permanent failure
  held,          ///< by the administrator or by configuration
  released,
  deleted,
  started,     ///< a compartment runs
  ended,       ///< a compartment ended; facts: exit status or signal
  renewed,     ///< a compartment was replaced by a fresh one
  configured,  ///< a configuration took effect, or was refused
  violation,   ///< a peer compartment broke its protocol and its channel was closed
  recovered,   ///< spool read its log at start; facts: what it found
  dropped,     ///< records were lost because nobody took them; facts: how many
  pressure,    ///< intake was slowed or closed; facts: cause
  throttled,   ///< a site is not attempted for a while, or again
  bounced,     ///< the sender was told of a failure or a delay, or nobody is to be told
};

template <>
inline constexpr unsigned kEnumBound<Decision> = 20;

/// "accepted", "refused", …
std::string_view to_string(Decision decision);

struct Fact {
  std::string name;
  std::string value;
  bool operator==(const Fact&) const = default;
  static constexpr auto fields() { return std::tuple(&Fact::name, &Fact::value); }
};

/// One decision. Fields that do not apply are empty. All text is data from anywhere: printers escape it.
struct Record {
  WallTime at = {};
  Compartment by = Compartment::master;
  Decision decision = Decision::started;
  QueueId id = {};             ///< zero where there is no message
  std::string session = {};    ///< of the client's session, unique for years
  std::string client = {};     ///< address of the client
  std::string sender = {};     ///< reverse-path, "<>" for the null one
  std::string recipient = {};  ///< the one recipient that this is about
  Rule rule = {};
  std::vector<Fact> facts = {};
  std::string outcome = {};  ///< a reply or a sentence
  std::optional<WallTime> next = {};

  bool operator==(const Record&) const = default;
  static constexpr auto fields() {
    return std::tuple(&Record::at, &Record::by, &Record::decision, &Record::id, &Record::session,
                      &Record::client, &Record::sender, &Record::recipient, &Record::rule, &Record::facts,
                      &Record::outcome, &Record::next);
  }
};

}  // namespace sternpost
