// Deleted studies: gone for everyone, back with everything, purged in time.
#include "gmock/gmock.h"
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class DeletedTest : public CoreFixture {
 protected:
  absl::Status Delete(const std::string& study, bool cancel = false, bool purge = false) {
    v1::DeleteStudyRequest request;
    request.set_study(study);
    request.set_cancel(cancel);
    request.set_purge(purge);
    return Call<v1::DeleteStudyResponse>(request).status();
  }
  absl::StatusOr<v1::Study> Restore(const std::string& study, const std::string& name = "",
                                    const std::string& id = "") {
    const auto found = Call<v1::DeleteStudyResponse>(LookUpDeletedStudy{id, study});
    if (!found.ok()) return found.status();
    RestoreCall call;
    call.request.set_study(study);
    call.request.set_name(name);
    call.request.set_request_id(id);
    if (found->study_id() != 0) call.whole = store_.deleted().at(found->study_id());
    const auto restored = Call<v1::RestoreStudyResponse>(call);
    if (!restored.ok()) return restored.status();
    return restored->study();
  }
  size_t Listed(bool deleted) {
    v1::ListStudiesRequest request;
    request.set_deleted(deleted);
    return static_cast<size_t>(Call<v1::ListStudiesResponse>(request)->studies_size());
  }
};

TEST_F(DeletedTest, ADeletedStudyIsInNoListAndItsNameIsFree) {
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  ASSERT_TRUE(Delete("a").ok());
  EXPECT_EQ(Listed(false), 0u);
  EXPECT_EQ(Listed(true), 1u);
  EXPECT_EQ(Delete("a").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  EXPECT_EQ(Study("a").study_id(), 2);
  EXPECT_EQ(Restore("a").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Restore("a", "b")->study_id(), 1);
  EXPECT_EQ(Listed(true), 0u);
}

TEST_F(DeletedTest, EverythingComesBackAlsoAfterARestart) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  RunToEnd("w1", 0.5);
  RunToEnd("w1", 0.25);
  const v1::Trial before = Trial("a/1");
  ASSERT_TRUE(Delete("a", true).ok());
  EXPECT_TRUE(core_->state().trials.empty());
  EXPECT_TRUE(core_->state().live.empty());
  Restart();
  const auto restored = Restore("a");
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->state(), v1::STUDY_STATE_PAUSED);
  EXPECT_EQ(restored->best_value(), 0.25);
  EXPECT_EQ(Trial("a/1").trial_id(), before.trial_id());
  EXPECT_EQ(Trial("a/1").attempts_size(), 1);
  EXPECT_EQ(Trial("a/2").state(), v1::TRIAL_STATE_FAIL);  // It ran when the study was deleted.
  EXPECT_TRUE(store_.deleted().empty());
  Restart();
  EXPECT_EQ(Study("a").counts().complete(), 2);
  EXPECT_EQ(Study("a").counts().fail(), 1);
}

TEST_F(DeletedTest, RunningAttemptsNeedCancel) {
  Attach("w1", 1);
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  AcceptNext("w1");
  EXPECT_EQ(Delete("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Delete("a", false, true).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Delete("a", true).ok());
}

TEST_F(DeletedTest, PurgeTakesLiveAndDeletedStudies) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  ASSERT_TRUE(Submit("b", Spec(1)).ok());
  ASSERT_TRUE(Delete("a").ok());
  ASSERT_TRUE(Delete("a", false, true).ok());
  ASSERT_TRUE(Delete("b", false, true).ok());
  EXPECT_EQ(Listed(true), 0u);
  EXPECT_EQ(Restore("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_.deleted().empty());
}

TEST_F(DeletedTest, AfterItsTimeAStudyIsPurged) {
  options_.deleted_kept = absl::Hours(48);
  Restart();
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  ASSERT_TRUE(Delete("a").ok());
  Advance(absl::Hours(47));
  EXPECT_EQ(Listed(true), 1u);
  EXPECT_LE(core_->NextDeadline(), clock_.Monotonic() + absl::Hours(1));
  Advance(absl::Hours(1));
  EXPECT_EQ(Listed(true), 0u);
  EXPECT_TRUE(store_.deleted().empty());
}

TEST_F(DeletedTest, TheSameRequestRestoresOnce) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  ASSERT_TRUE(Delete("a").ok());
  ASSERT_TRUE(Restore("a", "", "once").ok());
  const auto again = Restore("a", "", "once");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name(), "a");
}

TEST_F(DeletedTest, OfSeveralWithOneNameTheLastComesBack) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  ASSERT_TRUE(Delete("a").ok());
  Advance(absl::Seconds(1));
  ASSERT_TRUE(Submit("a", Spec(2)).ok());
  ASSERT_TRUE(Delete("a").ok());
  EXPECT_EQ(Restore("a")->n_trials(), 2);
  EXPECT_EQ(Restore("1", "first")->n_trials(), 1);
}

}  // namespace
}  // namespace vlm::core
