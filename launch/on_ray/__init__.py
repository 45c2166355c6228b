"""The backend on Ray Tune: resources, callbacks, and every private name of Ray that is used."""
