#include "server/rpc/fleet_service.h"

#include "absl/strings/str_cat.h"
#include "common/channel.h"
#include "server/rpc/queued_stream.h"

namespace vlm::rpc {
namespace {

constexpr size_t kPushQueue = 10'000;
// Reading pauses at so many batches of a stream that wait for the disk: back-pressure for senders.
constexpr int kUnansweredBatches = 256;
constexpr absl::Duration kLongestCall = absl::Seconds(30);

class AttachReactor final
    : public QueuedStream<grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>,
                          v1::CoordinatorMessage> {
 public:
  AttachReactor(server::Engine* engine, Hub* hub, uint64_t session)
      : QueuedStream(kPushQueue), engine_(engine), hub_(hub), session_(session) {}
  static AttachReactor* Open(server::Engine* engine, Hub* hub) {
    auto reactor = std::make_shared<AttachReactor>(engine, hub, hub->NewId());
    WorkerEnd end;
    end.send = [reactor](v1::CoordinatorMessage message) { reactor->Send(std::move(message)); };
    end.close = [reactor](const absl::Status& status) { reactor->Close(ToGrpc(status)); };
    hub->Add(reactor->session_, std::move(end));
    reactor->Keep(reactor);
    reactor->StartRead(&reactor->incoming_);
    return reactor.get();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    engine_->Post(core::FromWorker{session_, std::move(incoming_)});
    incoming_.Clear();
    WhileOpen([this] { StartRead(&incoming_); });
  }
  void OnDone() override {
    hub_->Remove(session_);
    engine_->Post(core::SessionClosed{session_});
    Drop();
  }

 private:
  server::Engine* engine_;
  Hub* hub_;
  uint64_t session_;
  v1::WorkerMessage incoming_;
};

class ReportReactor final
    : public QueuedStream<grpc::ServerBidiReactor<v1::ReportBatch, v1::ReportAck>, v1::ReportAck> {
 public:
  ReportReactor(server::Engine* engine, Hub* hub, uint64_t id)
      : QueuedStream(kPushQueue), engine_(engine), hub_(hub), id_(id) {}
  static ReportReactor* Open(server::Engine* engine, Hub* hub) {
    auto reactor = std::make_shared<ReportReactor>(engine, hub, hub->NewId());
    ReportEnd end;
    end.send = [reactor](v1::ReportAck ack) { reactor->SendAck(std::move(ack)); };
    end.close = [reactor](const absl::Status& status) { reactor->Close(ToGrpc(status)); };
    hub->Add(reactor->id_, std::move(end));
    reactor->Keep(reactor);
    reactor->StartRead(&reactor->incoming_);
    return reactor.get();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    engine_->Post(core::ReportIn{id_, std::move(incoming_)});
    incoming_.Clear();
    {
      MutexLock lock(count_mutex_);
      if (++unanswered_ >= kUnansweredBatches) return;  // SendAck reads on.
    }
    WhileOpen([this] { StartRead(&incoming_); });
  }
  void SendAck(v1::ReportAck ack) {
    Send(std::move(ack));
    {
      MutexLock lock(count_mutex_);
      if (unanswered_-- != kUnansweredBatches) return;
    }
    WhileOpen([this] { StartRead(&incoming_); });
  }
  void OnDone() override {
    hub_->Remove(id_);
    Drop();
  }

 private:
  server::Engine* engine_;
  Hub* hub_;
  uint64_t id_;
  v1::ReportBatch incoming_;
  Mutex count_mutex_;
  int unanswered_ ABSL_GUARDED_BY(count_mutex_) = 0;  // Batches read and not yet acknowledged.
};

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* FleetService::Attach(
    grpc::CallbackServerContext*) {
  return AttachReactor::Open(engine_, hub_);
}

grpc::ServerBidiReactor<v1::ReportBatch, v1::ReportAck>* FleetService::Report(
    grpc::CallbackServerContext*) {
  return ReportReactor::Open(engine_, hub_);
}

grpc::Status FleetService::UploadCheckpoint(grpc::ServerContext*,
                                            grpc::ServerReader<v1::UploadCheckpointRequest>* reader,
                                            v1::UploadCheckpointResponse* response) {
  v1::UploadCheckpointRequest request;
  if (!reader->Read(&request) || !request.has_header()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "the first message must be the header"};
  }
  const v1::UploadCheckpointRequest::Header header = request.header();
  const std::string want =
      absl::StrCat("ckpt-", header.checkpoint().attempt_id(), "-", header.checkpoint().step());
  if (header.checkpoint().checkpoint_id() != want) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            absl::StrCat("checkpoint_id must be ", want, ", not ",
                         header.checkpoint().checkpoint_id())};
  }
  v1::GetStatusResponse unused;
  absl::Status status = engine_->CallInto(
      core::CheckUpload{header.checkpoint().attempt_id(), header.epoch()}, kLongestCall, &unused);
  if (!status.ok()) return ToGrpc(status);
  status = files_->Receive(header.checkpoint(), [&](v1::Chunk* chunk) {
    if (!reader->Read(&request) || !request.has_chunk()) return false;
    *chunk = std::move(*request.mutable_chunk());
    return true;
  });
  if (!status.ok()) return ToGrpc(status);
  core::CheckpointStored stored{header.worker_id(), header.epoch(), header.checkpoint()};
  stored.checkpoint.set_uri(absl::StrCat("coordinator:", want));
  return ToGrpc(engine_->CallInto(std::move(stored), kLongestCall, response));
}

grpc::Status FleetService::DownloadCheckpoint(
    grpc::ServerContext*, const v1::DownloadCheckpointRequest* request,
    grpc::ServerWriter<v1::DownloadCheckpointResponse>* writer) {
  v1::Checkpoint checkpoint;
  const std::string& want = request->checkpoint_id();
  absl::Status status = engine_->CallInto(core::FindCheckpoint{want}, kLongestCall, &checkpoint);
  if (!status.ok()) return ToGrpc(status);
  v1::DownloadCheckpointResponse first;
  *first.mutable_checkpoint() = checkpoint;
  bool sent_first = false;
  status = files_->Send(checkpoint, request->offset(), [&](const v1::Chunk& chunk) {
    if (!sent_first && !writer->Write(first)) return false;
    sent_first = true;
    v1::DownloadCheckpointResponse response;
    *response.mutable_chunk() = chunk;
    return writer->Write(response);
  });
  if (absl::IsDataLoss(status)) engine_->Post(core::Call{0, core::CheckpointDamaged{want}});
  if (status.ok() && !sent_first) writer->Write(first);
  return ToGrpc(status);
}

}  // namespace vlm::rpc
