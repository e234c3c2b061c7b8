// Whole sessions. The first octet chooses how the server is set up, what others answer and how the input is
// cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/smtp/server.h"

using namespace sternpost;
using namespace sternpost::smtp;

namespace {

struct Setup {
  bool normalize = false;
  bool tight = false;  ///< small limits
  bool refuse_some = false;
  bool late = false;  ///< answers come after the next cut
};

void require(bool holds) {
  if (!holds) std::abort();
}

ServerLimits limits_of(const Setup& setup) {
  ServerLimits limits;
  limits.hostname = "mx.example.org";
  limits.normalize = setup.normalize;
  limits.max_message_bytes = setup.tight ? 500 : 1'000'000;
  limits.max_recipients = setup.tight ? 3 : 1'000'000;
  limits.max_command_line = 512;
  limits.max_text_line = 100;
  limits.max_commands = setup.tight ? 20 : 1'000'000;
  limits.max_errors = setup.tight ? 5 : 1'000'000;
  limits.max_messages = setup.tight ? 2 : 1'000'000;
  limits.max_hops = 2;
  limits.max_unanswered = 4;
  limits.piece_bytes = 64;
  return limits;
}

/// Content that may go on: lines of CRLF, no stray CR, LF or NUL.
void require_clean(std::string_view content) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    require(content[i] != '\0');
    if (content[i] == '\r') require(i + 1 < content.size() && content[i + 1] == '\n');
    if (content[i] == '\n') require(i > 0 && content[i - 1] == '\r');
  }
}

void require_replies(std::string_view replies) {
  while (!replies.empty()) {
    const auto end = replies.find("\r\n");
    require(end != std::string_view::npos && end >= 4 && end <= 510);
    const auto line = replies.substr(0, end);
    require(line[0] >= '2' && line[0] <= '5' && (line[3] == ' ' || line[3] == '-'));
    require(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }));
    replies.remove_prefix(end + 2);
  }
}

class Session {
 public:
  explicit Session(Setup setup)
      : setup_(setup), limits_(limits_of(setup)), server_(limits_, {"192.0.2.1", "192.0.2.1:1", "s"}) {}

  void run(std::string_view input, std::size_t cut) {
    server_.start();
    after();
    while (!input.empty() && !server_.closing()) {
      if (server_.wants_input()) {
        server_.feed(input.substr(0, cut));
        input.remove_prefix(std::min(cut, input.size()));
      } else {
        require(!owed_.empty());
        setup_.late = false;
      }
      after();
    }
    setup_.late = false;
    after();
    server_.disconnected();
    after();
    require(server_.closing() && !in_hand_);
  }

  std::string replies;
  std::vector<std::string> committed;

 private:
  void after() {
    do {
      do {
        auto actions = std::exchange(server_.actions(), {});
        for (auto& action : actions) {
          std::visit([this](auto& what) { on(what); }, action);
        }
        if (!setup_.late) answer();
      } while (!server_.actions().empty());
      require_replies(server_.replies());
      replies += std::exchange(server_.replies(), {});
    } while (server_.replies_written());
  }

  void answer() {
    for (auto& owed : std::exchange(owed_, {})) {
      const bool refuse = setup_.refuse_some && ++answers_ % 3 == 0;
      const mail::Reply refusal{451, {4, 3, 0}, "no"};
      if (std::holds_alternative<VerifyRecipient>(owed)) {
        server_.verdict(std::get<VerifyRecipient>(owed).request,
                        refuse ? refusal : mail::Reply{250, {2, 1, 5}, "Ok"}, {});
      } else if (std::holds_alternative<WantId>(owed)) {
        if (refuse) {
          server_.refuse_id(refusal, {});
        } else {
          in_hand_ = false;
          server_.grant_id(QueueId{++last_id_}, {});
        }
      } else if (refuse) {
        server_.not_committed(refusal, {});
      } else {
        server_.committed();
      }
    }
  }

  void on(VerifyRecipient& verify) { owed_.emplace_back(std::move(verify)); }
  void on(WantId& want) { owed_.emplace_back(want); }
  void on(SendPiece& piece) {
    require(piece.id.value == last_id_ && piece.bytes.size() == limits_.piece_bytes);
    in_hand_ = true;
    content_ += piece.bytes;
  }
  void on(Abandon& abandon) {
    require(in_hand_ && abandon.id.value == last_id_);
    in_hand_ = false;
    content_.clear();
  }
  void on(Commit& commit) {
    require(commit.id.value == last_id_ && commit.id.value != last_committed_);
    require(commit.last_piece.size() <= limits_.piece_bytes && !commit.envelope.recipients.empty());
    require(commit.bytes <= limits_.max_message_bytes);
    last_committed_ = commit.id.value;
    in_hand_ = false;
    content_ += commit.last_piece;
    require(content_.starts_with("Received: from "));
    require_clean(content_);
    committed.push_back(std::exchange(content_, {}));
    owed_.emplace_back(std::move(commit));
  }
  void on(Refusal& refusal) { require(refusal.reply.code >= 400 && refusal.reply.code <= 599); }

  Setup setup_;
  ServerLimits limits_;
  Server server_;
  std::vector<Action> owed_;
  std::string content_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_committed_ = 0;
  unsigned answers_ = 0;
  bool in_hand_ = false;  ///< pieces were sent, and neither committed nor abandoned
};

std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Setup setup{(data[0] & 1U) != 0, (data[0] & 2U) != 0, (data[0] & 4U) != 0, (data[0] & 8U) != 0};
  const std::size_t cut = 1U << (data[0] >> 4U);
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

  Session session(setup);
  session.run(input, cut);
  // Nothing but a true end of data ends a message.
  const auto ends = occurrences(input, "\r\n.\r\n") + (setup.normalize ? occurrences(input, "\n.\n") : 0);
  require(session.committed.size() <= ends);

  // How the octets arrive changes nothing, unless the client broke the rules of pipelining.
  if (setup.tight || setup.refuse_some || setup.late) return 0;
  Session slow(setup);
  slow.run(input, 1);
  if (session.replies.find("554 5.5.0") == std::string::npos) {
    require(session.replies == slow.replies && session.committed == slow.committed);
  }
  return 0;
}
