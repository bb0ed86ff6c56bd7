#include "server/rpc/fleet_service.h"

#include "absl/strings/str_cat.h"
#include "common/channel.h"
#include "server/rpc/queued_stream.h"

namespace vlm::rpc {
namespace {

constexpr size_t kPushQueue = 10'000;
constexpr absl::Duration kLongestCall = absl::Seconds(30);

class AttachReactor final
    : public QueuedStream<grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>,
                          v1::CoordinatorMessage> {
 public:
  AttachReactor(server::Engine* engine, Hub* hub, uint64_t session)
      : QueuedStream(kPushQueue), engine_(engine), hub_(hub), session_(session) {
    WorkerEnd end;
    end.send = [this](v1::CoordinatorMessage message) { Send(std::move(message)); };
    end.close = [this](const absl::Status& status) { Close(ToGrpc(status)); };
    hub_->Add(session_, std::move(end));
    StartRead(&incoming_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    engine_->Post(core::FromWorker{session_, std::move(incoming_)});
    incoming_.Clear();
    StartRead(&incoming_);
  }
  void OnDone() override {
    hub_->Remove(session_);
    engine_->Post(core::SessionClosed{session_});
    delete this;
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
      : QueuedStream(kPushQueue), engine_(engine), hub_(hub), id_(id) {
    ReportEnd end;
    end.send = [this](v1::ReportAck ack) { Send(std::move(ack)); };
    end.close = [this](const absl::Status& status) { Close(ToGrpc(status)); };
    hub_->Add(id_, std::move(end));
    StartRead(&incoming_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    engine_->Post(core::ReportIn{id_, std::move(incoming_)});
    incoming_.Clear();
    StartRead(&incoming_);
  }
  void OnDone() override {
    hub_->Remove(id_);
    delete this;
  }

 private:
  server::Engine* engine_;
  Hub* hub_;
  uint64_t id_;
  v1::ReportBatch incoming_;
};

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* FleetService::Attach(
    grpc::CallbackServerContext*) {
  return new AttachReactor(engine_, hub_, hub_->NewId());
}

grpc::ServerBidiReactor<v1::ReportBatch, v1::ReportAck>* FleetService::Report(
    grpc::CallbackServerContext*) {
  return new ReportReactor(engine_, hub_, hub_->NewId());
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
  absl::Status status =
      engine_->CallInto(core::FindCheckpoint{request->checkpoint_id()}, kLongestCall, &checkpoint);
  if (!status.ok()) return ToGrpc(status);
  v1::DownloadCheckpointResponse first;
  *first.mutable_checkpoint() = checkpoint;
  writer->Write(first);
  return ToGrpc(files_->Send(checkpoint, request->offset(), [&](const v1::Chunk& chunk) {
    v1::DownloadCheckpointResponse response;
    *response.mutable_chunk() = chunk;
    return writer->Write(response);
  }));
}

}  // namespace vlm::rpc
