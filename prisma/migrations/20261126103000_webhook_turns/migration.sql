-- What is due is taken of each webhook in turn.
drop index webhook_delivery_due;
create index webhook_delivery_due on webhook_delivery (webhook_id, next_attempt_at) where status = 'PENDING';
