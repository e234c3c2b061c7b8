#include "service/admin/admin_service.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

namespace sternpost {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uid_t kStranger = 12'345;

struct Records final : RecordSink {
  void record(Record record) override { made.push_back(std::move(record)); }
  std::vector<Record> made;
};

/// The other end of one of the service's channels, with what arrived on it.
template <class In, class Out>
struct End {
  End(boost::asio::io_context& loop, UniqueFd socket, std::size_t bound, TrafficCounters& traffic)
      : channel(loop, std::move(socket), FrameLimits{.max_frame = bound}, traffic,
                typename Channel<In, Out>::Handlers{[this](In&& frame) -> Result<void> {
                                                      frames.push_back(std::move(frame));
                                                      return {};
                                                    },
                                                    [this](const Error&) { closed = true; }}) {}

  template <class T>
  [[nodiscard]] const T& last() const {
    return std::get<T>(frames.at(frames.size() - 1));
  }

  std::vector<In> frames;
  bool closed = false;
  Channel<In, Out> channel;
};

using ClientEnd = End<admin::Reply, admin::Request>;
using SpoolEnd = End<spool_admin::ToSpool, spool_admin::FromSpool>;
using QmgrEnd = End<qmgr::ToQmgr, qmgr::FromQmgr>;

/// The service behind a control socket, with the test as master, spool, qmgr and the command.
class AdminServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "admin-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    address.sun_family = AF_UNIX;
    (folder / "control").string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(listener.get(), 8), 0);
    std::filesystem::permissions(folder, std::filesystem::perms::all);
    std::filesystem::permissions(folder / "control", std::filesystem::perms::all);
  }
  void TearDown() override {
    service.reset();
    std::filesystem::remove_all(folder);
  }

  void serve(std::uint32_t max_connections = 4, std::optional<gid_t> group = std::nullopt,
             std::optional<uid_t> starter = std::nullopt) {
    std::vector<UniqueFd> listeners;
    listeners.emplace_back(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0));
    ServiceContext context{
        .loop = loop,
        .instance = 0,
        .listeners = std::move(listeners),
        .initial_peers = 0,
        .records = records,
        .traffic = traffic,
        .channel_closed = [this](Compartment row, const Error&, bool last) { lost.emplace_back(row, last); },
        .tell_master = [this](const auto& frame) { to_master.push_back(frame); },
        .control_group = group};
    service = std::make_unique<AdminService>(std::move(context), config::AdminSlice{max_connections},
                                             starter.value_or(::geteuid()));
  }

  std::unique_ptr<ClientEnd> connect() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return std::make_unique<ClientEnd>(loop, std::move(socket), admin::kMaxFrame, traffic);
  }

  template <class E>
  std::unique_ptr<E> connect(Compartment row, std::size_t bound) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    auto end = std::make_unique<E>(loop, UniqueFd(ends[0]), bound, traffic);
    service->peer(row, 0, UniqueFd(ends[1]));
    return end;
  }
  std::unique_ptr<SpoolEnd> connect_spool() {
    return connect<SpoolEnd>(Compartment::spool, spool_admin::kMaxFrame);
  }
  std::unique_ptr<QmgrEnd> connect_qmgr() { return connect<QmgrEnd>(Compartment::qmgr, qmgr::kMaxFrame); }

  void settle() {
    while (loop.poll() > 0) {
    }
    loop.restart();
  }

  /// Runs until `done`, or for a time that is only reached where that never comes.
  template <class Done>
  void run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + Seconds{60};
    while (!done() && std::chrono::steady_clock::now() < deadline) loop.run_one_for(Milliseconds{100});
    loop.restart();
  }

  void ask(ClientEnd& client, const admin::Request& request) {
    std::visit([&](const auto& one) { client.channel.send(one); }, request);
    settle();
  }

  /// Master's answer to the last AskStatus.
  void answer_as_master() {
    control::StatusAnswer answer{std::get<control::AskStatus>(to_master.back()).request, {}};
    answer.processes.emplace_back();
    service->from_master(answer, {});
    settle();
  }

  boost::asio::io_context loop;
  TrafficCounters traffic;
  Records records;
  std::filesystem::path folder;
  sockaddr_un address{};
  UniqueFd listener;
  std::vector<control::FromService> to_master;
  std::vector<std::pair<Compartment, bool>> lost;
  std::unique_ptr<AdminService> service;
};

TEST_F(AdminServiceTest, GathersAStatusFromMasterSpoolAndQmgr) {
  serve();
  const auto spool = connect_spool();
  const auto qmgr = connect_qmgr();
  const auto client = connect();
  ask(*client, admin::Status{});
  spool->channel.send(spool_admin::Counted{spool->last<spool_admin::Count>().request, 70});
  qmgr->channel.send(qmgr::Counts{qmgr->last<qmgr::QueryCounts>().request, 1, 2, 3, 4, 5});
  settle();
  EXPECT_THAT(client->frames, IsEmpty());
  answer_as_master();
  const auto& status = client->last<admin::StatusReply>();
  EXPECT_THAT(status.processes, SizeIs(1));
  EXPECT_EQ(status.messages, 70U);
  ASSERT_TRUE(status.queue);
  EXPECT_EQ(status.queue->held, 5U);
}

TEST_F(AdminServiceTest, DoesNotTakeWhoIsAwayForAnEmptyQueue) {
  serve();
  const auto client = connect();
  ask(*client, admin::Status{});
  answer_as_master();
  EXPECT_FALSE(client->last<admin::StatusReply>().messages);
  EXPECT_FALSE(client->last<admin::StatusReply>().queue);

  auto spool = connect_spool();
  auto qmgr = connect_qmgr();
  ask(*client, admin::Status{});
  answer_as_master();
  spool.reset();
  qmgr.reset();
  settle();
  ASSERT_THAT(client->frames, SizeIs(2));
  EXPECT_FALSE(client->last<admin::StatusReply>().messages);
  EXPECT_FALSE(client->last<admin::StatusReply>().queue);
  EXPECT_THAT(lost, ElementsAre(std::pair(Compartment::spool, true), std::pair(Compartment::qmgr, true)));
}

TEST_F(AdminServiceTest, AnswersAStatusAlthoughSomebodyKeepsSilent) {
  serve();
  const auto spool = connect_spool();
  const auto client = connect();
  ask(*client, admin::Status{});
  answer_as_master();
  EXPECT_THAT(client->frames, IsEmpty());
  run_until([&] { return !client->frames.empty(); });
  EXPECT_FALSE(client->last<admin::StatusReply>().messages);
  EXPECT_THAT(client->last<admin::StatusReply>().processes, SizeIs(1));
  spool->channel.send(spool_admin::Counted{spool->last<spool_admin::Count>().request, 70});
  settle();
  EXPECT_THAT(client->frames, SizeIs(1)) << "what comes too late is nobody's answer";
}

TEST_F(AdminServiceTest, TellsSpoolWhoAskedWhateverTheRequestSays) {
  serve();
  const auto spool = connect_spool();
  const auto client = connect();
  ask(*client, spool_admin::Act{0, QueueId{7}, spool_admin::Action::hold, kStranger});
  const auto& act = spool->last<spool_admin::Act>();
  EXPECT_EQ(act.uid, ::geteuid());
  EXPECT_EQ(act.id, QueueId{7});
  spool->channel.send(spool_admin::Acted{act.request, "no"});
  settle();
  EXPECT_EQ(client->last<spool_admin::Acted>().refused, "no");
}

TEST_F(AdminServiceTest, ListsInBoundedPages) {
  serve();
  const auto spool = connect_spool();
  const auto client = connect();
  ask(*client, spool_admin::List{0, 0, 1'000'000});
  EXPECT_EQ(spool->last<spool_admin::List>().max, spool_admin::kMaxListed);
}

TEST_F(AdminServiceTest, CompletesWhatSpoolListsByTheNextAttempts) {
  serve();
  const auto spool = connect_spool();
  auto qmgr = connect_qmgr();
  const auto client = connect();
  ask(*client, spool_admin::List{0, 0, 10});
  spool_admin::Listed listed{spool->last<spool_admin::List>().request, {}, 0};
  for (const std::uint64_t id : {7U, 8U}) listed.entries.emplace_back().id = QueueId{id};
  spool->channel.send(listed);
  settle();
  EXPECT_THAT(client->frames, IsEmpty());
  const auto& question = qmgr->last<qmgr::AskNext>();
  EXPECT_THAT(question.ids, testing::ElementsAre(QueueId{7}, QueueId{8}));
  qmgr->channel.send(qmgr::NextAttempts{question.request, {{QueueId{8}, WallTime{5}, "a site is down"}}});
  settle();
  const auto& entries = client->last<spool_admin::Listed>().entries;
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_FALSE(entries[0].next);
  EXPECT_EQ(entries[1].next, WallTime{5});
  EXPECT_EQ(entries[1].because, "a site is down");

  ask(*client, spool_admin::List{0, 0, 10});
  listed.request = spool->last<spool_admin::List>().request;
  spool->channel.send(listed);
  settle();
  qmgr.reset();
  settle();
  EXPECT_THAT(client->frames, SizeIs(2)) << "qmgr ended: the list comes without";
}

TEST_F(AdminServiceTest, HandsAFlushToQmgrAndRefusesNamesWithoutEnd) {
  serve();
  const auto qmgr = connect_qmgr();
  const auto client = connect();
  ask(*client, qmgr::Flush{99, {}, "mx.example"});
  const auto& flush = qmgr->last<qmgr::Flush>();
  EXPECT_EQ(flush.site, "mx.example");
  EXPECT_NE(flush.request, 99U) << "admin numbers its own questions";
  qmgr->channel.send(qmgr::Flushed{flush.request, true, 3});
  settle();
  EXPECT_EQ(client->last<qmgr::Flushed>().recipients, 3U);
  ask(*client, qmgr::Flush{0, {}, std::string(qmgr::kLongestSite + 1, 'x')});
  EXPECT_NE(client->last<admin::Done>().refused, "");
  EXPECT_THAT(qmgr->frames, SizeIs(1));
}

/// As root the connection is made as somebody else; otherwise somebody else has started the instance.
TEST_F(AdminServiceTest, RefusesAndRecordsWhoMayNotCommand) {
  const bool as_root = ::geteuid() == 0;
  serve(4, std::nullopt, as_root ? 1 : ::geteuid() + 1);
  const auto spool = connect_spool();
  if (as_root) {
    ASSERT_EQ(::seteuid(kStranger), 0);
  }
  const auto client = connect();
  if (as_root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ask(*client, admin::Run{admin::Command::stop});
  ask(*client, spool_admin::List{0, 0, 1});
  EXPECT_NE(client->last<admin::Done>().refused.find("you may not"), std::string::npos);
  EXPECT_THAT(client->frames, SizeIs(2));
  EXPECT_THAT(to_master, IsEmpty());
  EXPECT_THAT(spool->frames, IsEmpty());
  ASSERT_THAT(records.made, SizeIs(2));
  EXPECT_EQ(records.made[0].decision, Decision::refused);
  EXPECT_EQ(records.made[0].facts,
            (std::vector<Fact>{{"uid", std::to_string(as_root ? kStranger : ::geteuid())}}));
}

TEST_F(AdminServiceTest, ServesTheControlGroup) {
  const bool as_root = ::geteuid() == 0;
  serve(4, ::getegid(), as_root ? 1 : ::geteuid() + 1);
  if (as_root) {
    ASSERT_EQ(::seteuid(kStranger), 0);
  }
  const auto client = connect();
  if (as_root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ask(*client, admin::Run{admin::Command::reload});
  ASSERT_THAT(to_master, SizeIs(1));
  service->from_master(control::RunAnswer{std::get<control::AskRun>(to_master[0]).request, ""}, {});
  settle();
  EXPECT_EQ(client->last<admin::Done>().refused, "");
}

TEST_F(AdminServiceTest, ClosesConnectionsBeyondTheBoundUntilThereIsRoom) {
  serve(1);
  auto first = connect();
  settle();
  const auto second = connect();
  settle();
  EXPECT_TRUE(second->closed);
  EXPECT_FALSE(first->closed);
  first.reset();
  settle();
  ASSERT_TRUE(service->new_slice(encode(config::AdminSlice{2}), true));
  const auto third = connect();
  const auto fourth = connect();
  ask(*fourth, admin::Run{admin::Command::reload});
  EXPECT_FALSE(third->closed);
  EXPECT_THAT(to_master, SizeIs(1));
}

TEST_F(AdminServiceTest, WaitsWhereThereIsNoDescriptorForAConnection) {
  serve();
  const auto client = connect();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd lowest(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  loop.run_for(Milliseconds{20});
  std::size_t turns = 0;
  for (int i = 0; i < 1'000; ++i) turns += loop.poll();
  loop.restart();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LT(turns, 100U) << "it asks again after a while, not at once";
  client->channel.send(admin::Run{admin::Command::reload});
  run_until([&] { return !to_master.empty(); });
  EXPECT_THAT(to_master, SizeIs(1));
}

TEST_F(AdminServiceTest, TheEndOfSpoolEndsOnlyTheQuestionsToIt) {
  serve();
  auto spool = connect_spool();
  const auto showing = connect();
  const auto reloading = connect();
  ask(*showing, spool_admin::Show{0, QueueId{7}});
  ask(*reloading, admin::Run{admin::Command::reload});
  spool.reset();
  settle();
  EXPECT_NE(showing->last<admin::Done>().refused, "");
  EXPECT_THAT(reloading->frames, IsEmpty());
  ask(*showing, spool_admin::Show{0, QueueId{7}});
  EXPECT_THAT(showing->frames, SizeIs(2)) << "spool is away, which is said at once";
}

TEST_F(AdminServiceTest, OneThingAtATimeIsAskedAndAnswered) {
  serve();
  const auto spool = connect_spool();
  const auto idle = connect();
  const auto hasty = connect();
  ask(*hasty, spool_admin::Show{0, QueueId{7}});
  spool->channel.send(spool_admin::Acted{0, "to nobody"});
  ask(*hasty, spool_admin::Show{0, QueueId{8}});
  EXPECT_TRUE(hasty->closed);
  EXPECT_THAT(idle->frames, IsEmpty());
}

TEST(Credentials, AreThoseOfWhoConnectedWithItsGroups) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd one(ends[0]), other(ends[1]);
  const auto peer = Credentials::of_peer(one.get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->gid, ::getegid());
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  ASSERT_GE(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
  EXPECT_THAT(peer->groups, testing::UnorderedElementsAreArray(groups));
}

TEST(Credentials, DecideWhoMayCommand) {
  const Credentials peer{.uid = 1000, .gid = 100, .groups = {4, 27}};
  EXPECT_TRUE(may_command({.uid = 0, .gid = 0, .groups = {}}, 1000, std::nullopt));
  EXPECT_TRUE(may_command(peer, 1000, std::nullopt));
  EXPECT_FALSE(may_command(peer, 0, std::nullopt));
  EXPECT_TRUE(may_command(peer, 0, 100));
  EXPECT_TRUE(may_command(peer, 0, 27));
  EXPECT_FALSE(may_command(peer, 0, 5));
  EXPECT_FALSE(may_command({.uid = 1001, .gid = 1001, .groups = {}}, 1000, std::nullopt));
}

}  // namespace
}  // namespace sternpost
