#include "dialog_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace sternpost::dialogs {
namespace {

constexpr WallTime kNow{1'795'248'812'000'000};  // 2026-11-21T08:13:32Z
const Rule kTableRule{"domains", "sternpost.toml", 3};

/// A trailing "..." stands for anything.
bool matches(std::string_view expected, std::string_view actual) {
  if (expected.ends_with("...")) return actual.starts_with(expected.substr(0, expected.size() - 3));
  return expected == actual;
}

/// "waits" and "waits for x": the first word, and `rest` left with the others.
std::string_view take_word(std::string_view& rest) {
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

std::string visible(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~') {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      if (c == '\n') out.push_back('\n');
    }
  }
  return out;
}

smtp::ServerLimits usual_limits() {
  smtp::ServerLimits limits;
  limits.hostname = "mx.example.org";
  limits.max_message_bytes = 10'000'000;
  limits.max_recipients = 100;
  limits.max_command_line = 1000;
  limits.max_text_line = 65536;
  limits.max_commands = 1000;
  limits.max_errors = 20;
  limits.max_messages = 100;
  limits.max_hops = 30;
  const auto set_by = [](const char* key) { return Rule{key, {}, 0}; };
  limits.rules = {.normalize = set_by("smtp.normalize"),
                  .max_message = set_by("smtp.max_message"),
                  .max_recipients = set_by("smtp.max_recipients"),
                  .max_command_line = set_by("smtp.max_command_line"),
                  .max_text_line = set_by("smtp.max_text_line"),
                  .max_commands = set_by("smtp.max_commands"),
                  .max_errors = set_by("smtp.max_errors"),
                  .max_messages = set_by("smtp.max_messages"),
                  .max_hops = set_by("smtp.max_hops"),
                  .command_timeout = set_by("smtp.command_timeout"),
                  .data_timeout = set_by("smtp.data_timeout"),
                  .session_timeout = set_by("smtp.session_timeout")};
  return limits;
}

}  // namespace

Runner::Runner(Delivery delivery) : delivery_(delivery), limits_(usual_limits()) {}

bool Runner::grouped_only(const Dialog& dialog) {
  return std::ranges::any_of(dialog.steps, [](const Step& s) { return s.word == "grouped"; });
}

std::optional<std::string> Runner::run(const Dialog& dialog) {
  for (const auto& next : dialog.steps) {
    if (auto wrong = step(next)) return fmt::format("line {}: {}", next.line, *wrong);
  }
  send();
  if (auto wrong = expect_content()) return "at the end: " + *wrong;
  if (auto wrong = expect_silence()) return "at the end: " + *wrong;
  return std::nullopt;
}

Runner::Complaint Runner::step(const Step& step) {
  if (step.word != "M:" && step.word != "T:") {
    if (auto wrong = expect_content()) return wrong;
  }
  if (step.word == "C:" || step.word == "X:") {
    if (!server_) begin();
    if (said_.empty()) {
      if (auto wrong = expect_silence()) return wrong;
    }
    auto octets = step.word == "C:" ? step.rest + "\r\n" : unescape(step.rest);
    if (!octets) return octets.error().text;
    said_ += *octets;
    return std::nullopt;
  }
  if (!server_ && step.word == "S:") begin();
  if (server_) send();
  if (step.word == "S:") return expect_reply(step.rest);
  if (step.word == "event") return happens(step.rest);
  if (server_) {
    if (auto judged = expect(step)) return *judged;
  }
  return set(step);
}

void Runner::begin() {
  server_ =
      std::make_unique<smtp::Server>(limits_, smtp::ClientFacts{"192.0.2.1", "192.0.2.1:40312", "session"});
  server_->start();
  after_event();
}

void Runner::send() {
  if (!server_) begin();
  while (!said_.empty() && server_->wants_input() && !server_->closing()) {
    const auto count = delivery_ == Delivery::grouped ? said_.size() : 1;
    const auto octets = said_.substr(0, count);
    said_.erase(0, count);
    server_->feed(octets);
    after_event();
  }
  if (server_->closing()) said_.clear();
}

void Runner::after_event() {
  std::string written;
  do {
    while (!server_->actions().empty()) {
      auto actions = std::exchange(server_->actions(), {});
      for (auto& action : actions) act(action);
    }
    written += std::exchange(server_->replies(), {});
  } while (server_->replies_written());
  for (std::size_t end = 0; (end = written.find("\r\n")) != std::string::npos; written.erase(0, end + 2)) {
    replies_.push_back(written.substr(0, end));
  }
  if (!written.empty()) replies_.push_back("a reply without CRLF: " + written);
}

void Runner::act(smtp::Action& action) {
  std::visit([this](auto& what) { act_on(what); }, action);
}

void Runner::act_on(smtp::VerifyRecipient& verify) {
  const auto address = verify.recipient.to_wire();
  if (const auto waiting = waiting_recipients_.find(address); waiting != waiting_recipients_.end()) {
    waiting->second = verify.request;
    return;
  }
  const auto refused = refused_recipients_.find(address);
  server_->verdict(verify.request,
                   refused == refused_recipients_.end() ? mail::Reply{250, {2, 1, 5}, "Ok"} : refused->second,
                   kTableRule);
}

void Runner::act_on(smtp::WantId&) {
  if (ids_wait_) return;
  if (refuse_ids_) {
    server_->refuse_id(*refuse_ids_, {"spool is away", {}, 0});
  } else {
    server_->grant_id(QueueId{++last_id_}, kNow);
  }
}

void Runner::act_on(smtp::SendPiece& piece) {
  pieces_ += piece.bytes;
  ++piece_count_;
}

void Runner::act_on(smtp::Abandon&) {
  pieces_.clear();
  ++abandoned_;
}

void Runner::act_on(smtp::Refusal& refusal) {
  last_rule_ = refusal.rule.name;
}

void Runner::act_on(smtp::Commit& commit) {
  trace_at_ = 0;
  sent_ = Message{std::move(commit.envelope), std::exchange(pieces_, {}) + commit.last_piece};
  if (commits_wait_) return;
  if (refuse_commits_) {
    server_->not_committed(*refuse_commits_, {"spool", {}, 0});
  } else {
    committed_.push_back(*std::exchange(sent_, {}));
    server_->committed();
  }
}

Runner::Complaint Runner::set_limit(std::string_view rest) {
  const auto name = take_word(rest);
  std::uint32_t value = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec != std::errc())
    return "a limit is a number";
  const std::map<std::string_view, std::uint32_t*> limits = {
      {"recipients", &limits_.max_recipients},
      {"command_line", &limits_.max_command_line},
      {"text_line", &limits_.max_text_line},
      {"commands", &limits_.max_commands},
      {"errors", &limits_.max_errors},
      {"messages", &limits_.max_messages},
      {"hops", &limits_.max_hops},
      {"unanswered", &limits_.max_unanswered},
  };
  if (const auto limit = limits.find(name); limit != limits.end()) {
    *limit->second = value;
  } else if (name == "message_bytes") {
    limits_.max_message_bytes = value;
  } else if (name == "piece_bytes") {
    limits_.piece_bytes = value;
  } else {
    return "no such limit";
  }
  return std::nullopt;
}

Runner::Complaint Runner::set(const Step& step) {
  std::string_view rest = step.rest;
  if (step.word == "limit")
    return server_ ? Complaint("limits come before the first line said") : set_limit(rest);
  if (step.word == "normalize") {
    limits_.normalize = rest == "on";
  } else if (step.word == "recipient") {
    const std::string address(take_word(rest));
    const auto how = take_word(rest);
    const auto reply = parse_reply(rest);
    if (how == "waits") {
      waiting_recipients_[address] = 0;
    } else if (how == "refused" && reply) {
      refused_recipients_[address] = *reply;
    } else {
      return "recipient ADDRESS waits | refused CODE STATUS text";
    }
  } else if (step.word == "ids" || step.word == "commits") {
    const bool ids = step.word == "ids";
    const auto how = take_word(rest);
    auto reply = parse_reply(rest);
    if (how != "wait" && !reply) return "ids|commits wait | refused CODE STATUS text";
    (ids ? ids_wait_ : commits_wait_) = how == "wait";
    (ids ? refuse_ids_ : refuse_commits_) = std::move(reply);
  } else if (step.word != "grouped") {
    return fmt::format("unknown word {}", step.word);
  }
  return std::nullopt;
}

Runner::Complaint Runner::happens(std::string_view event) {
  const auto what = take_word(event);
  if (what == "timeout") {
    server_->time_out();
  } else if (what == "shutdown") {
    server_->shut_down({421, {4, 3, 2}, "mx.example.org shuts down"}, {"shutdown", {}, 0});
  } else if (what == "disconnect") {
    server_->disconnected();
  } else if (what == "id") {
    server_->grant_id(QueueId{++last_id_}, kNow);
  } else if (what == "committed" && sent_) {
    committed_.push_back(*std::exchange(sent_, {}));
    server_->committed();
  } else if (const auto refusal = parse_reply(event); what == "not-committed" && refusal) {
    server_->not_committed(*refusal, {"spool", {}, 0});
  } else if (what == "verdict") {
    const auto waiting = waiting_recipients_.find(std::string(take_word(event)));
    const auto reply = parse_reply(event);
    if (waiting == waiting_recipients_.end() || waiting->second == 0)
      return "that recipient is not asked about";
    if (!reply) return "event verdict ADDRESS CODE STATUS text";
    server_->verdict(waiting->second, *reply, kTableRule);
  } else {
    return "no such event, or not now";
  }
  after_event();
  send();
  return std::nullopt;
}

Runner::Complaint Runner::expect_reply(std::string_view expected) {
  if (replies_.empty()) return fmt::format("expected: {}\n  got nothing", expected);
  const auto actual = std::exchange(replies_.front(), {});
  replies_.pop_front();
  if (!matches(expected, actual)) return fmt::format("expected: {}\n  got:      {}", expected, actual);
  return std::nullopt;
}

Runner::Complaint Runner::expect_silence() {
  if (!replies_.empty()) return fmt::format("unexpected reply: {}", replies_.front());
  return std::nullopt;
}

std::optional<Runner::Complaint> Runner::expect(const Step& step) {
  const auto should = [&](bool holds, std::string_view actual) {
    return holds ? Complaint() : Complaint(fmt::format("{} {}: but {}", step.word, step.rest, actual));
  };
  if (step.word == "closed") return should(server_->closing(), "the session is open");
  if (step.word == "open") return should(!server_->closing(), "the session is closed");
  if (step.word == "reading") return should(server_->wants_input(), "input waits");
  if (step.word == "not-reading") return should(!server_->wants_input(), "input is taken");
  if (step.word == "committed")
    return should(std::to_string(committed_.size()) == step.rest, std::to_string(committed_.size()));
  if (step.word == "pieces")
    return should(std::to_string(piece_count_) == step.rest, std::to_string(piece_count_));
  if (step.word == "abandoned")
    return should(std::to_string(abandoned_) == step.rest, std::to_string(abandoned_));
  if (step.word == "rule") return should(last_rule_ == step.rest, last_rule_);
  const bool about_message = step.word == "from" || step.word == "to" || step.word == "body" ||
                             step.word == "with" || step.word == "T:" || step.word == "M:" ||
                             step.word == "helo";
  if (!about_message) return std::nullopt;
  if (committed_.empty()) return Complaint("no message is committed");
  const auto& envelope = committed_.back().envelope;
  if (step.word == "from")
    return should(mail::to_path(envelope.reverse_path) == step.rest, mail::to_path(envelope.reverse_path));
  if (step.word == "body") return should(envelope.eight_bit == (step.rest == "8BITMIME"), "it is the other");
  if (step.word == "with") return should(envelope.origin.protocol == step.rest, envelope.origin.protocol);
  if (step.word == "helo") return should(envelope.origin.helo == step.rest, envelope.origin.helo);
  if (step.word == "to") {
    std::string all;
    for (const auto& recipient : envelope.recipients)
      all += (all.empty() ? "<" : " <") + recipient.to_wire() + ">";
    return should(all == step.rest, all);
  }
  const auto line = unescape(step.rest);
  if (!line) return Complaint(line.error().text);
  if (step.word == "T:") {
    const std::string_view content = committed_.back().content;
    const auto actual = content.substr(trace_at_, content.find("\r\n", trace_at_) - trace_at_);
    trace_at_ += actual.size() + 2;
    return should(matches(*line, actual), visible(actual));
  }
  expected_content_ += *line + "\r\n";
  content_expected_ = true;
  return Complaint();
}

Runner::Complaint Runner::expect_content() {
  if (!std::exchange(content_expected_, false)) return std::nullopt;
  const auto expected = std::exchange(expected_content_, {});
  std::string_view actual = committed_.back().content;
  // The trace field is tested on its own.
  while (actual.starts_with("Received: from ") || actual.starts_with('\t'))
    actual.remove_prefix(actual.find('\n') + 1);
  if (actual == expected) return std::nullopt;
  return fmt::format("the content is\n{}\n  but should be\n{}", visible(actual), visible(expected));
}

}  // namespace sternpost::dialogs
