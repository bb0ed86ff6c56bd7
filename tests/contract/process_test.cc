// The program itself: what it prints, how it ends, and what a kill leaves behind.
#include <csignal>
#include <filesystem>
#include <fstream>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/strings/str_cat.h"
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class ProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<testing::Process> Start(std::vector<std::string> extra = {}) {
    std::vector<std::string> argv = {testing::Binary("vlm-coordinator"), "--data", dir_ / "data",
                                     "--listen", "127.0.0.1:0"};
    argv.insert(argv.end(), extra.begin(), extra.end());
    auto process = testing::Process::Start(argv);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  std::unique_ptr<v1::Control::Stub> Connect(testing::Process& process) {
    const auto address = process.WaitForLine("listening on ");
    EXPECT_TRUE(address.ok()) << address.status();
    return v1::Control::NewStub(MakeChannel(*address));
  }
  static grpc::Status Submit(v1::Control::Stub& control, const std::string& name) {
    v1::SubmitRequest request;
    request.set_name(name);
    request.set_config_text(SampleYaml(1));
    v1::SubmitResponse response;
    return control.Submit(MakeContext().get(), request, &response);
  }
  static int CountStudies(v1::Control::Stub& control) {
    v1::ListStudiesResponse response;
    EXPECT_TRUE(control.ListStudies(MakeContext().get(), v1::ListStudiesRequest(), &response).ok());
    return response.studies_size();
  }
  testing::TempDir dir_;
};

TEST_F(ProcessTest, ServesPrintsItsAddressAndEndsCleanlyOnSigterm) {
  auto process = Start({"--http", "127.0.0.1:0"});
  auto control = Connect(*process);
  EXPECT_TRUE(process->WaitForLine("http on ").ok());
  EXPECT_EQ(CountStudies(*control), 0);
  process->Signal(SIGTERM);
  EXPECT_EQ(*process->Wait(), 0) << process->Stderr();
  EXPECT_TRUE(std::filesystem::exists(dir_ / "data/study.db"));
}

TEST_F(ProcessTest, DrainsWithOpenStreams) {
  auto process = Start();
  auto control = Connect(*process);
  grpc::ClientContext context;
  auto watch = control->Watch(&context, v1::WatchRequest());
  v1::WatchResponse response;
  ASSERT_TRUE(watch->Read(&response));
  process->Signal(SIGTERM);
  EXPECT_EQ(*process->Wait(absl::Seconds(4)), 0) << process->Stderr();
  while (watch->Read(&response)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ProcessTest, KeepsItsDataPrivate) {
  auto process = Start();
  Connect(*process);
  const auto mode = [this](const char* path) {
    return static_cast<int>(std::filesystem::status(dir_ / path).permissions()) & 0777;
  };
  EXPECT_EQ(mode("data"), 0700);
  EXPECT_EQ(mode("data/study.db"), 0600);
}

TEST_F(ProcessTest, ListensOnASocketOnlyItsOwnerCanReach) {
  auto process = Start({"--listen", "unix:" + dir_ / "socket"});
  Connect(*process);
  auto control = v1::Control::NewStub(MakeChannel("unix:" + dir_ / "socket"));
  EXPECT_EQ(CountStudies(*control), 0);
  EXPECT_EQ(static_cast<int>(std::filesystem::status(dir_ / "socket").permissions()) & 0077, 0);
}

// Whatever was acknowledged before a kill -9 is there after it; ten times over.
TEST_F(ProcessTest, EveryAcknowledgedSubmitSurvivesAKill) {
  int acknowledged = 0;
  for (int round = 0; round < 5; ++round) {
    auto process = Start();
    auto control = Connect(*process);
    EXPECT_GE(CountStudies(*control), acknowledged);
    for (int i = 0; i < 3; ++i) {
      acknowledged += Submit(*control, absl::StrCat("s-", round, "-", i)).ok();
    }
    // One more is under way when the kill comes; it may or may not be there.
    std::thread racing([&] { Submit(*control, absl::StrCat("racing-", round)); });
    process->Kill();
    racing.join();
  }
  EXPECT_EQ(acknowledged, 15);
  auto process = Start();
  EXPECT_GE(CountStudies(*Connect(*process)), 15);
}

TEST_F(ProcessTest, ASecondOneOnTheSameDataSaysWhoIsThere) {
  auto first = Start();
  Connect(*first);
  auto second = Start();
  EXPECT_EQ(*second->Wait(), 1);
  EXPECT_NE(second->Stderr().find("another coordinator uses"), std::string::npos);
}

TEST_F(ProcessTest, AFileOfAnotherProgramIsRefused) {
  std::filesystem::create_directory(dir_ / "data");
  SQLite::Database(dir_ / "data/study.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE recipes (name TEXT)");
  auto process = Start();
  EXPECT_EQ(*process->Wait(), 1);
  EXPECT_NE(process->Stderr().find("another program"), std::string::npos);
}

TEST_F(ProcessTest, TakesItsSettingsFromAFileAndFlagsBeatIt) {
  auto process = Start({"--config", testing::SourceFile("configs/server.yaml")});
  EXPECT_EQ(CountStudies(*Connect(*process)), 0);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "data/study.db"));
}

TEST_F(ProcessTest, AnUnknownKeyOfTheFileIsNamedWithItsLine) {
  std::ofstream(dir_ / "server.yaml") << "data: /tmp/x\nlissten: 127.0.0.1:0\n";
  auto process = Start({"--config", dir_ / "server.yaml"});
  EXPECT_EQ(*process->Wait(), 2);
  EXPECT_NE(process->Stderr().find("server.yaml:2: unknown key \"lissten\""), std::string::npos);
}

TEST_F(ProcessTest, MissingDataIsAUsageError) {
  auto process = testing::Process::Start({testing::Binary("vlm-coordinator")});
  ASSERT_TRUE(process.ok());
  EXPECT_EQ(*(*process)->Wait(), 2);
  EXPECT_NE((*process)->Stderr().find("--data"), std::string::npos);
}

}  // namespace
}  // namespace vlm
