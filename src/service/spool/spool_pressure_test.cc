// Pressure on its way from qmgr to the intakes, and the load that shows its end.
#include "service/spool/spool_service_test_rig.h"

namespace sternpost::spool_service {
namespace {

using queue::PressureLevel;

class SpoolPressure : public SpoolServiceRig {
 protected:
  static PressureLevel level_at(const Intake& intake) {
    const auto told = intake.of<spool_intake::Pressure>();
    return told.empty() ? PressureLevel::none : told.back().level;
  }
};

TEST_F(SpoolPressure, IsToldToEachIntakeThatIsThereAndThatComes) {
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto first = connect<Intake>(Compartment::smtpd);
  qmgr->send(spool_qmgr::Pressure{PressureLevel::refuse, "backlog: much"});
  settle();
  const auto second = connect<Intake>(Compartment::smtpd);
  settle();
  for (const auto* intake : {first.get(), second.get()}) {
    EXPECT_EQ(level_at(*intake), PressureLevel::refuse);
    EXPECT_EQ(intake->of<spool_intake::Pressure>().back().cause, "backlog: much");
  }
}

TEST_F(SpoolPressure, EndsWithTheQmgrThatSaidSo) {
  auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto intake = connect<Intake>(Compartment::smtpd);
  qmgr->send(spool_qmgr::Pressure{PressureLevel::close, "memory: much"});
  settle();
  ASSERT_EQ(level_at(*intake), PressureLevel::close);
  qmgr.reset();
  settle();
  EXPECT_EQ(level_at(*intake), PressureLevel::close) << "nobody knows better";
  qmgr = connect<Qmgr>(Compartment::qmgr);
  settle();
  EXPECT_EQ(level_at(*intake), PressureLevel::none) << "the new one says so when there is any";
}

TEST_F(SpoolPressure, AnIntakeThatHeardOfItFromAnotherSpoolLearnsThatThereIsNone) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  settle();
  ASSERT_EQ(intake->of<spool_intake::Pressure>().size(), 1U);
  EXPECT_EQ(level_at(*intake), PressureLevel::none);
}

TEST_F(SpoolPressure, WhileItLastsTheLoadIsToldThoughNothingHappens) {
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto intake = connect<Intake>(Compartment::smtpd);
  settle();
  const auto loads = [&] { return qmgr->of<spool_qmgr::Load>().size(); };
  ASSERT_EQ(loads(), 1U);
  qmgr->send(spool_qmgr::Pressure{PressureLevel::refuse, "backlog: much"});
  while (loads() < 3 && loop_.run_one_for(std::chrono::seconds(20)) > 0) {
  }
  EXPECT_EQ(loads(), 3U);
}

TEST_F(SpoolPressure, ACauseWithoutEndIsABreach) {
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  qmgr->send(spool_qmgr::Pressure{PressureLevel::slow, std::string(513, 'x')});
  settle();
  EXPECT_EQ(breaches_, std::vector{Compartment::qmgr});
}

}  // namespace
}  // namespace sternpost::spool_service
