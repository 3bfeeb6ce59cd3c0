-- CreateEnum
CREATE TYPE "visibility" AS ENUM ('PRIVATE', 'PUBLIC');

-- AlterTable
ALTER TABLE "asset" ADD COLUMN     "visibility" "visibility" NOT NULL DEFAULT 'PRIVATE';
