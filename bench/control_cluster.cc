#include "bench/control_cluster.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/channel.h"
#include "common/status.h"

namespace vlm::bench {

Usage UsageOf(pid_t pid) {
  Usage usage;
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << stat.rdbuf();
  // The name may hold spaces; fields are counted from behind it. 14 and 15 are utime and stime.
  const std::string all = text.str();
  const size_t end = all.rfind(')');
  if (end == std::string::npos) return usage;
  const std::vector<std::string> fields = absl::StrSplit(all.substr(end + 2), ' ');
  double user = 0;
  double system = 0;
  double pages = 0;
  if (fields.size() > 21 && absl::SimpleAtod(fields[11], &user) &&
      absl::SimpleAtod(fields[12], &system) && absl::SimpleAtod(fields[21], &pages)) {
    usage.cpu_s = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
    usage.rss_mb = pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
  }
  return usage;
}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const std::string& bin) {
  std::unique_ptr<Cluster> out(new Cluster);
  out->bin_ = bin;
  ASSIGN_OR_RETURN(out->coordinator_,
                   testing::Process::Start({out->Path("vlm-coordinator"), "--data",
                                            out->dir_ / "data", "--listen", "127.0.0.1:0"}));
  ASSIGN_OR_RETURN(out->address_, out->coordinator_->WaitForLine("listening on "));
  out->control_ = v1::Control::NewStub(MakeChannel(out->address_));
  return out;
}

bool Cluster::Has(const std::string& program) const {
  return std::filesystem::exists(Path(program));
}

absl::Status Cluster::StartWorker(int slots) {
  ASSIGN_OR_RETURN(
      worker_, testing::Process::Start({Path("vlm-worker"), "--coordinator", address_, "--work-dir",
                                        dir_ / "work", "--slots", absl::StrCat(slots)}));
  const bool attached = testing::Eventually(absl::Seconds(20), [&] {
    auto context = MakeContext();
    v1::ListWorkersResponse response;
    return control_->ListWorkers(context.get(), {}, &response).ok() && response.workers_size() == 1;
  });
  return attached ? absl::OkStatus()
                  : absl::UnavailableError(
                        absl::StrCat("no worker after 20 s; it wrote:\n", worker_->Stderr()));
}

absl::StatusOr<std::string> Cluster::MakeData(int n) {
  const std::string out = dir_ / "shapes";
  ASSIGN_OR_RETURN(auto process,
                   testing::Process::Start({Path("vlmctl"), "data", "shapes", "--out", out, "--n",
                                            absl::StrCat(n), "--seed", "1"}));
  ASSIGN_OR_RETURN(const int code, process->Wait(absl::Seconds(60)));
  if (code != 0) return absl::InternalError(absl::StrCat("data shapes: ", process->Stderr()));
  for (const auto& entry : std::filesystem::directory_iterator(out)) {
    if (entry.path().extension() == ".csv") return entry.path().string();
  }
  return absl::NotFoundError(absl::StrCat("vlmctl data shapes made no CSV in ", out));
}

}  // namespace vlm::bench
