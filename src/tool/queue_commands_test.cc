#include "tool/queue_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tool/fake_instance.h"

namespace sternpost::tool {
namespace {

using testing::ElementsAre;

constexpr auto kRelease = spool_admin::Action::release;

Options options_of(const FakeInstance& instance) {
  Options options;
  options.state = instance.state();
  return options;
}

TEST(QueueAct, TriesEveryIdAndTellsOfEachRefusal) {
  std::vector<std::uint64_t> asked;
  const FakeInstance instance([&](int fd) {
    greet(fd);
    for (int i = 0; i < 4; ++i) {
      answer_one(fd, [&](const admin::Request& request) {
        const auto id = std::get<spool_admin::Act>(request).id.value;
        asked.push_back(id);
        return spool_admin::Acted{0, id % 2 == 0 ? "gone\x1b" : ""};
      });
    }
  });
  std::vector<std::string> ids;
  for (std::uint64_t id = 1; id <= 4; ++id) ids.push_back(to_string(QueueId{id}));
  const auto done = queue_act(options_of(instance), ids, kRelease);
  EXPECT_THAT(asked, ElementsAre(1, 2, 3, 4));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text, ids[1] + ": gone\\x1b\n" + ids[3] + ": gone\\x1b");
}

TEST(QueueAct, TellsWhatWasRefusedBeforeTheConversationEnded) {
  const FakeInstance instance([&](int fd) {
    greet(fd);
    answer_one(fd, [&](const admin::Request&) { return spool_admin::Acted{0, "gone"}; });
  });
  const auto one = to_string(QueueId{1}), two = to_string(QueueId{2});
  const auto done = queue_act(options_of(instance), {one, two, to_string(QueueId{3})}, kRelease);
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().text.starts_with(one + ": gone\n" + two + ": ")) << done.error().text;
}

TEST(QueueAct, AsksNothingWhereAnIdIsNone) {
  const auto done = queue_act(Options{}, {to_string(QueueId{1}), "../x"}, kRelease);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().status, ExitStatus::usage);
}

TEST(QueueRelease, ReleasesTheHeldMessagesOfAllPages) {
  using spool_admin::State;
  std::vector<std::uint64_t> released;
  const FakeInstance instance([&](int fd) {
    greet(fd);
    for (std::uint64_t page = 1; page <= 2; ++page) {
      answer_one(fd, [&](const admin::Request& request) {
        EXPECT_EQ(std::get<spool_admin::List>(request).after, page == 1 ? 0U : 70U);
        spool_admin::Listed listed{0, {}, page == 1 ? 70U : 0U};
        for (const auto state : {State::held, State::deferred}) {
          auto& entry = listed.entries.emplace_back();
          entry.id = QueueId{10 * page + static_cast<unsigned>(state)};
          entry.state = state;
        }
        return listed;
      });
    }
    for (int i = 0; i < 2; ++i) {
      answer_one(fd, [&](const admin::Request& request) {
        const auto& act = std::get<spool_admin::Act>(request);
        EXPECT_EQ(act.action, kRelease);
        released.push_back(act.id.value);
        return spool_admin::Acted{};
      });
    }
  });
  EXPECT_TRUE(queue_release_held(options_of(instance)));
  EXPECT_THAT(released, ElementsAre(13, 23));
}

/// What qmgr is asked to flush for this name, where it knows nothing of it and one message is in the queue.
std::vector<qmgr::Flush> flushes_for(const std::string& name, Outcome<void>& done) {
  std::vector<qmgr::Flush> asked;
  const bool is_id = parse_queue_id(name).has_value();
  const FakeInstance instance([&](int fd) {
    greet(fd);
    const auto flush = [&](const qmgr::Flushed& answer) {
      answer_one(fd, [&](const admin::Request& request) {
        asked.push_back(std::get<qmgr::Flush>(request));
        return answer;
      });
    };
    for (int i = 0; i < (is_id ? 2 : 1); ++i) flush({});
    if (!mail::Domain::from_wire(name)) return;
    answer_one(fd, [&](const admin::Request&) {
      spool_admin::Listed listed{0, {}, 0};
      auto& entry = listed.entries.emplace_back();
      entry.id = QueueId{42};
      entry.recipients.emplace_back().address = *mail::Mailbox::from_wire("b@y.example");
      return listed;
    });
    if (name == "Y.example") flush({0, true, 3});
  });
  done = queue_flush(options_of(instance), {name});
  return asked;
}

TEST(QueueFlush, TriesMessagesToADomainWhereNoSiteIsCalledSo) {
  Outcome<void> done;
  const auto asked = flushes_for("Y.example", done);
  EXPECT_TRUE(done);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].site, "Y.example");
  EXPECT_EQ(asked[1].id, QueueId{42});
}

TEST(QueueFlush, NamesWhatItDoesNotFind) {
  Outcome<void> done;
  const auto asked = flushes_for(to_string(QueueId{7}), done);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].id, QueueId{7});
  EXPECT_EQ(asked[1].site, to_string(QueueId{7}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text,
            to_string(QueueId{7}) + ": no message, site or domain of this name waits in the queue");
  EXPECT_EQ(flushes_for("smtp \x1b", done).size(), 1U);
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().text.starts_with("smtp \\x1b: ")) << done.error().text;
}

}  // namespace
}  // namespace sternpost::tool
