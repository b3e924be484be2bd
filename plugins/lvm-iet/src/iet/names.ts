/** The one LUN of each target. IET has no controller at LUN 0. */
export const dataLun = 0;

const longestSerial = 16;

/** What a guest sees of a volume's serial number: IET has room for 16 characters, so the last 16 digits of the volume's id. */
export function shownSerial(serial: string): string {
  return serial.slice(-longestSerial);
}
