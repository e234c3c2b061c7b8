// Runs a dialog against the real SMTP server engine, in the place of network, router and spool.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dialog.h"
#include "protocol/smtp/server.h"

namespace sternpost::dialogs {

/// How the client's octets reach the server.
enum class Delivery : unsigned char {
  grouped,  ///< lines that stand together arrive together
  octets,   ///< one by one
};

class Runner {
 public:
  explicit Runner(Delivery delivery);

  /// What went wrong first, with its line; nothing where the dialog went as written. Runs once.
  std::optional<std::string> run(const Dialog& dialog);
  /// The dialog says that it means something only where lines arrive together.
  [[nodiscard]] static bool grouped_only(const Dialog& dialog);

 private:
  struct Message {
    mail::Envelope envelope;
    std::string content;
  };

  // Each answers what is wrong, or nothing.
  using Complaint = std::optional<std::string>;
  Complaint step(const Step& step);
  Complaint set(const Step& step);
  Complaint set_limit(std::string_view rest);
  Complaint happens(std::string_view event);
  Complaint expect_reply(std::string_view expected);
  /// Nothing where the step is no expectation, but a setting.
  std::optional<Complaint> expect(const Step& step);
  Complaint expect_content();
  Complaint expect_silence();

  void begin();
  void send();
  void after_event();
  void act(smtp::Action& action);
  void act_on(smtp::VerifyRecipient& verify);
  void act_on(smtp::WantId& want);
  void act_on(smtp::SendPiece& piece);
  void act_on(smtp::Commit& commit);
  void act_on(smtp::Abandon& abandon);
  void act_on(smtp::Refusal& refusal);

  Delivery delivery_;
  smtp::ServerLimits limits_;
  std::unique_ptr<smtp::Server> server_;
  std::string said_;  ///< by the client, not yet taken by the server
  std::deque<std::string> replies_;
  std::map<std::string, mail::Reply> refused_recipients_;
  std::map<std::string, std::uint32_t> waiting_recipients_;  ///< address to request, 0 before it is asked
  std::optional<mail::Reply> refuse_ids_, refuse_commits_;
  bool ids_wait_ = false;
  bool commits_wait_ = false;
  std::uint64_t last_id_ = 0;
  std::string pieces_;  ///< of the message in hand
  std::size_t piece_count_ = 0;
  std::size_t abandoned_ = 0;
  std::optional<Message> sent_;  ///< with its commit unanswered
  std::vector<Message> committed_;
  std::string last_rule_;
  std::size_t trace_at_ = 0;  ///< how much of the last message's trace field was compared
  std::string expected_content_;
  bool content_expected_ = false;
};

}  // namespace sternpost::dialogs
