#include "protocol/smtp/command_table.h"

#include <array>

#include "base/ascii.h"
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp {
namespace {

// The frequent ones first. RFC 2920 also wants NOOP, VRFY, EXPN and QUIT last in a group. NOOP, VRFY and EXPN
// change nothing, so what follows them cannot be misread; what follows QUIT is never read.
constexpr std::array kCommands = {
    Command{"MAIL", verbs::mail},
    Command{"RCPT", verbs::rcpt},
    Command{"DATA", verbs::data, true},
    Command{"QUIT", verbs::quit},
    Command{"EHLO", verbs::ehlo, true},
    Command{"HELO", verbs::helo, true},
    Command{"RSET", verbs::rset},
    Command{"NOOP", verbs::noop},
    Command{"VRFY", verbs::vrfy},
    Command{"EXPN", verbs::expn},
    Command{"HELP", verbs::help},
    Command{"STARTTLS", verbs::not_offered, true},
    Command{"AUTH", verbs::not_offered, true},
    Command{"BDAT", verbs::not_offered, true},
    Command{"ETRN", verbs::not_offered},
    Command{"TURN", verbs::not_offered, true},
    Command{"SEND", verbs::not_offered},
    Command{"SOML", verbs::not_offered},
    Command{"SAML", verbs::not_offered},
    Command{"GET", verbs::http},
    Command{"POST", verbs::http},
    Command{"PUT", verbs::http},
    Command{"HEAD", verbs::http},
    Command{"CONNECT", verbs::http},
    Command{"OPTIONS", verbs::http},
    Command{"DELETE", verbs::http},
    Command{"PATCH", verbs::http},
    Command{"TRACE", verbs::http},
};

}  // namespace

const Command* find_command(std::string_view verb) {
  for (const auto& command : kCommands) {
    if (equals_ignoring_case(command.verb, verb)) return &command;
  }
  return nullptr;
}

}  // namespace sternpost::smtp
