mod cases;
mod differential;
mod hostile;
mod properties;
mod reading;
