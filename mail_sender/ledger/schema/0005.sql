-- Which relay (host and port) each attempt was made at, and which one had a delivery's last dot; NULL: not known.

ALTER TABLE attempt ADD COLUMN relay TEXT;
ALTER TABLE delivery ADD COLUMN relay TEXT;
