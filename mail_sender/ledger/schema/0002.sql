-- The verdict of an attempt that broke on the way to the relay has a new name.

UPDATE attempt SET verdict = 'relay_down' WHERE verdict = 'lanedown';
