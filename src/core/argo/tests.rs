mod expressions;
mod hostile;
mod oracle;
