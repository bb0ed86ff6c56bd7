// A coordinator in a process of its own, and vlmctl's commands run against it in this one.
#pragma once

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "client/output/records.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "vlm/v1/control.grpc.pb.h"

namespace vlm::client {

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
  Json json() const { return Json::parse(out); }
};

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Starts it again with the same data and the same port.
  void StartCoordinator();
  Ran Vlmctl(std::vector<std::string> args);
  // The same as a process of its own, for what needs signals.
  std::unique_ptr<vlm::testing::Process> Spawn(std::vector<std::string> args);
  v1::Control::Stub& control() { return *control_; }
  std::string Write(const std::string& name, const std::string& text);
  // A small search; learning_rate and n_embd are searched.
  std::string SearchFile();
  // Submits it as "demo" and tells `values`, one COMPLETE trial each.
  void Seed(const std::vector<double>& values);

  vlm::testing::TempDir dir_;
  std::string addr_;
  std::unique_ptr<vlm::testing::Process> coordinator_;
  std::unique_ptr<v1::Control::Stub> control_;
};

}  // namespace vlm::client
